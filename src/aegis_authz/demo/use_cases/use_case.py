"""What a use case is, and what is left of it once it was played."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.demo.scenario import Chapter, Row
from aegis_authz.demo.use_cases.metrics import Movement, Panel
from aegis_authz.demo.use_cases.sigma import Alert
from aegis_authz.demo.use_cases.span_receiver import SpanView
from aegis_authz.telemetry import conventions

CALLS = "aegis_calls_total"


@dataclass(frozen=True, slots=True)
class UseCase:
    """A chapter that is played for one reader, and what its evidence must hold.

    `subject` is the call whose record and span are shown in full. `alerts` are the Sigma rules that must fire,
    `secrets` texts that no record and no span may hold.
    """

    name: str
    chapter: Chapter
    subject: str
    alerts: frozenset[str]
    secrets: frozenset[str] = frozenset()

    @property
    def headline(self) -> str:
        """What happens, in a sentence."""
        return (self.chapter.__doc__ or "").splitlines()[0]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a security engineer looks at afterwards.

    `events` are the records of decisions, redactions and approvals, as `aegis export` writes them; `verdict` is what
    `aegis audit verify` says of all logs.
    """

    events: Sequence[Mapping[str, Json]]
    is_intact: bool
    verdict: str
    spans: Sequence[SpanView]
    movements: Sequence[Movement]
    panels: Sequence[Panel]
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A use case that was played: its calls, and their evidence."""

    use_case: UseCase
    rows: Sequence[Row]
    evidence: Evidence

    def gaps(self) -> list[str]:
        """What is not as it must be, each in a sentence."""
        return [
            *self._calls(),
            *self._records(),
            *self._spans(),
            *self._leaks(),
            *self._metrics(),
            *self._alerts(),
        ]

    def _calls(self) -> Iterator[str]:
        for row in self.rows:
            if not row.ok:
                yield f"{row.call}: expected {row.expected}, got {row.answer} {row.reason}"

    def _records(self) -> Iterator[str]:
        if not self.evidence.is_intact:
            yield f"the records are not intact: {self.evidence.verdict}"
        kept = {event["decision_id"] for event in self.evidence.events if event["kind"] == "decision"}
        for row in self.rows:
            if row.decision_id and row.decision_id not in kept:
                yield f"{row.call}: no record"

    def _spans(self) -> Iterator[str]:
        reasons = {span.decision_id: span.attributes.get(conventions.REASON) for span in self.evidence.spans}
        for row in self.rows:
            if row.decision_id and reasons.get(row.decision_id) != row.reason:
                yield f"{row.call}: no span that says {row.reason}"

    def _leaks(self) -> Iterator[str]:
        evidence = json.dumps([*self.evidence.events, *(asdict(span) for span in self.evidence.spans)])
        for secret in sorted(self.use_case.secrets):
            if secret in evidence:
                yield f"a record or a span holds {secret}"

    def _metrics(self) -> Iterator[str]:
        counted = sum(movement.by for movement in self.evidence.movements if movement.name == CALLS)
        decided = sum(event["kind"] == "decision" for event in self.evidence.events)
        if counted != decided:
            yield f"{CALLS} went up by {counted:g}, and {decided} decisions were recorded"
        if not self.evidence.panels:
            yield "no panel of a dashboard shows what happened"

    def _alerts(self) -> Iterator[str]:
        firing = {alert.rule.name for alert in self.evidence.alerts}
        for name in sorted(self.use_case.alerts - firing):
            yield f"the rule {name} does not fire"
