"""Prometheus metrics of calls by who made them and which tool they meant, with labels that cannot become many."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter

from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.money import MICRO
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.fault_parts import FAULT_PARTS
from aegis_authz.telemetry.grouped import LabelBound

MOST_CALLS = 2000
MOST_SPENDERS = 2000


class CallMetrics:
    """Tallies calls until `write`. A tool's name is the catalogue's, and a tenant's and an agent's those of a token."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._calls = Counter(
            "aegis_calls",
            "Calls, by effect, tenant (`org/tenant`) and tool.",
            ["effect", "tenant", "tool"],
            registry=registry,
        )
        self._costs = Counter(
            "aegis_cost_estimated",
            "What calls that passed were estimated to cost, in units of their currency.",
            ["tenant", "agent", "tool", "currency"],
            registry=registry,
        )
        self._faults = Counter(
            "aegis_faults", "Calls that were refused for a fault of a part, by the part.", ["part"], registry=registry
        )
        self._quarantines = Counter("aegis_quarantines", "Calls upon which a breaker opened.", registry=registry)
        self._credentials = Counter(
            "aegis_credentials", "Calls by how their caller proved who it is.", ["way"], registry=registry
        )
        for part in sorted(set(FAULT_PARTS.values())):
            self._faults.labels(part)  # from zero on, so that an increase is seen
        self._call_bound, self._cost_bound = LabelBound(MOST_CALLS), LabelBound(MOST_SPENDERS)
        self._tallies: Tally[tuple[Counter, tuple[str, ...]]] = Tally()
        self._micros: Tally[tuple[str, ...]] = Tally()

    def count(self, record: DecisionRecord) -> None:
        """Tally one decision."""
        identity = record.identity
        tenant = self._count(record.effect, record.reason, identity, record.tool)
        if record.cost is not None and record.effect.lets_through:
            agent = identity.scope.agent if identity is not None else ""
            labels = self._cost_bound.of((tenant, agent, record.tool, record.cost.currency))
            self._micros[labels] += record.cost.micros
        if record.quarantined_until and record.reason is not Reason.QUARANTINED:
            self._tallies[self._quarantines, ()] += 1

    def count_refusal(self, refusal: UnrecordedRefusal) -> None:
        """Tally a refusal that has no record: of a call of which no tool was known yet."""
        self._count(refusal.effect, refusal.reason, refusal.identity, "")

    def _count(self, effect: Effect, reason: Reason, identity: Identity | None, tool: str) -> str:
        """Tally a call, and return its tenant, "" for one that is not known."""
        tallies, tenant = self._tallies, ""
        if identity is not None:
            tenant = f"{identity.scope.org}/{identity.scope.tenant}"
            tallies[self._credentials, (identity.way.value,)] += 1
        tallies[self._calls, self._call_bound.of((effect.value, tenant, tool))] += 1
        part = FAULT_PARTS.get(reason)
        if part is not None:
            tallies[self._faults, (part,)] += 1
        return tenant

    def write(self) -> None:
        """Bring everything tallied into the registry."""
        for (counter, labels), count in self._tallies.items():
            (counter.labels(*labels) if labels else counter).inc(count)
        for labels, micros in self._micros.items():
            self._costs.labels(*labels).inc(micros / MICRO)
        self._tallies.clear()
        self._micros.clear()
