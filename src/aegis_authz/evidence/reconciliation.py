"""What Envoy did, held against what was recorded: a call that reached a tool unallowed is found, whoever let it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.narrowing import number, text
from aegis_authz.encoding.strict_json import parse_object
from aegis_authz.evidence.chain import NotARecord, read_members
from aegis_authz.evidence.log_report import LogLine

_DECISION, _OUTCOME = b'"kind":"decision"', b'"kind":"outcome"'
_OWN_LISTENER = "intercept:"
"""How clusters begin that lead a tunnel back into the mesh, where its requests are judged one by one."""
_QUESTION = "/access/v1/evaluation"
"""Where an agent asks without calling: no Envoy sees that."""


class GapKind(Enum):
    """What does not fit together."""

    CALL_WITHOUT_DECISION = "call-without-decision"
    CALL_WITHOUT_RECORD = "call-without-record"
    CALL_WITHOUT_ALLOW = "call-without-allow"
    ALLOW_WITHOUT_CALL = "allow-without-call"
    CALL_WITHOUT_OUTCOME = "call-without-outcome"
    UNREADABLE = "unreadable"


WENT_BY = frozenset({GapKind.CALL_WITHOUT_DECISION, GapKind.CALL_WITHOUT_RECORD, GapKind.CALL_WITHOUT_ALLOW})
"""The gaps of a call that reached a tool and ought not to have."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that does not fit: of which decision ("" for none), where it stands, and why it is a gap."""

    kind: GapKind
    decision_id: str
    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProxyEntry:
    """A request in Envoy's access log. `began_at` is seconds since the epoch; `upstream` is the address it was sent to,
    "" for none.
    """

    file: str
    line: int
    decision_id: str
    began_at: float
    upstream: str
    cluster: str
    details: str


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What a decision record says that matters here."""

    file: str
    line: int
    decision_id: str
    time: float
    effect: Effect
    is_question: bool

    @property
    def has_call(self) -> bool:
        """Whether an access log must hold it: it was let through, and not only asked about."""
        return self.effect.lets_through and not self.is_question


@dataclass(frozen=True, slots=True)
class RecordedCalls:
    """The decisions of some logs by their ids, of which calls the outcome stands in them, and what cannot be read."""

    decisions: Mapping[str, RecordedDecision]
    outcomes: frozenset[str]
    unreadable: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The gaps, and of how much: requests that Envoy sent on, decisions, outcomes; and the time looked at."""

    gaps: tuple[Gap, ...]
    calls: int
    decisions: int
    outcomes: int
    since: float
    until: float

    @property
    def by_kind(self) -> Mapping[str, int]:
        """How many gaps there are of each kind that there are any of."""
        return Counter(gap.kind.value for gap in self.gaps)


def read_entry(line: LogLine) -> ProxyEntry | Gap:
    """A line of the access log, or why it cannot be read."""
    try:
        members = parse_object(line.raw)
        moment = datetime.fromisoformat(text(members["time"], "time"))
        words = [_word(members.get(name)) for name in ("decision_id", "upstream", "upstream_cluster", "details")]
    except Refused as fault:
        return Gap(GapKind.UNREADABLE, "", line.file, line.number, fault.detail)
    except (KeyError, ValueError) as fault:
        return Gap(GapKind.UNREADABLE, "", line.file, line.number, f"not a line of an access log: {fault}")
    if moment.tzinfo is None:
        return Gap(GapKind.UNREADABLE, "", line.file, line.number, "not a line of an access log: its time has no zone")
    decision_id, upstream, cluster, details = words
    return ProxyEntry(line.file, line.number, decision_id, moment.timestamp(), upstream, cluster, details)


def recorded_decision(record: DecisionRecord, file: str, line: int) -> RecordedDecision:
    """What matters here of a decision's record, which stands there."""
    return RecordedDecision(file, line, record.decision_id, record.time, record.effect, record.path == _QUESTION)


def read_calls(lines: Iterable[LogLine]) -> RecordedCalls:
    """The decisions and outcomes among the lines of record logs, without verifying them."""
    decisions: dict[str, RecordedDecision] = {}
    outcomes: set[str] = set()
    unreadable: list[Gap] = []
    for line in lines:
        try:
            if _DECISION in line.raw:
                members = read_members(line.raw)
                if members.get("kind") == "decision":
                    decision = _decision(line, members)
                    decisions[decision.decision_id] = decision
                    continue
            if _OUTCOME in line.raw:
                members = read_members(line.raw)
                if members.get("kind") == "outcome":
                    outcomes.add(text(members["decision_id"], "decision_id"))
        except (NotARecord, KeyError, ValueError) as fault:
            unreadable.append(Gap(GapKind.UNREADABLE, "", line.file, line.number, f"not a record: {fault}"))
    return RecordedCalls(decisions, frozenset(outcomes), tuple(unreadable))


def reconcile(
    entries: Iterable[ProxyEntry | Gap], recorded: RecordedCalls, patience: float, since: float
) -> Reconciliation:
    """Join the requests of all Envoys of a mesh with its records.

    An allow or an outcome may be missing for `patience` seconds before the end of the access log: a call is in it once
    it is over, and what became of it is told after that. A call that reached a tool has no such time, for its decision
    is on the disk before it is let through. What is older than `since` (epoch seconds) is passed over. An access log
    without a request since then lacks every allow since then.
    """
    gaps: list[Gap] = []
    requests: dict[str, ProxyEntry] = {}
    calls = 0
    first, last = float("inf"), float("-inf")
    for entry in entries:
        if isinstance(entry, Gap):
            gaps.append(entry)
        elif entry.began_at >= since:
            first, last = min(first, entry.began_at), max(last, entry.began_at)
            if entry.upstream:
                calls += 1
                decision = recorded.decisions.get(entry.decision_id)
                gaps.extend(unallowed(entry, decision, _place_of(requests.get(entry.decision_id))))
            if entry.upstream or entry.decision_id not in requests:
                requests[entry.decision_id] = entry
    # without a request no time of its own bounds the access log, which then lacks every allow
    begin, until = (first, last - patience) if requests else (since, float("inf"))
    within = [each for each in recorded.decisions.values() if begin <= each.time <= until]
    gaps.extend(recorded.unreadable)
    gaps.extend(_uncalled(within, requests))
    gaps.extend(_without_outcome(requests.values(), recorded, until))
    counts = len(recorded.decisions), len(recorded.outcomes)
    return Reconciliation(tuple(gaps), calls, *counts, *((first, until) if requests else (0.0, 0.0)))


def unallowed(entry: ProxyEntry, decision: RecordedDecision | None, before: str) -> Iterator[Gap]:
    """Why a request that was sent to a tool ought not to have been: nothing, or one gap.

    `before` is the place in an access log of another one that the same decision let through, "" for none.
    """
    if not entry.decision_id:
        words = f"it was sent to {entry.upstream}, and no authorizer was asked"
        yield _gap(GapKind.CALL_WITHOUT_DECISION, entry, words)
    elif decision is None:
        words = f"it was sent to {entry.upstream}, and no record holds its decision"
        yield _gap(GapKind.CALL_WITHOUT_RECORD, entry, words)
    elif not decision.effect.lets_through:
        words = f"it was sent to {entry.upstream}, and its decision is {decision.effect.value}"
        yield _gap(GapKind.CALL_WITHOUT_ALLOW, entry, words)
    elif before:
        words = f"it was sent to {entry.upstream}, and its decision let another call through ({before})"
        yield _gap(GapKind.CALL_WITHOUT_ALLOW, entry, words)


def _uncalled(decisions: Iterable[RecordedDecision], requests: Mapping[str, ProxyEntry]) -> Iterator[Gap]:
    for decision in decisions:
        if decision.has_call and decision.decision_id not in requests:
            yield without_call(decision)


def _without_outcome(entries: Iterable[ProxyEntry], recorded: RecordedCalls, until: float) -> Iterator[Gap]:
    for entry in entries:
        decision = recorded.decisions.get(entry.decision_id)
        is_due = has_outcome(entry, decision) and entry.began_at <= until
        if is_due and entry.decision_id not in recorded.outcomes:
            yield without_outcome(entry)


def without_call(decision: RecordedDecision) -> Gap:
    """The gap of a call that was let through and that no access log holds."""
    words = "it was let through, and no access log holds it"
    return Gap(GapKind.ALLOW_WITHOUT_CALL, decision.decision_id, decision.file, decision.line, words)


def without_outcome(entry: ProxyEntry) -> Gap:
    """The gap of a call of which nobody recorded what became of it."""
    return _gap(GapKind.CALL_WITHOUT_OUTCOME, entry, f"what became of it is on no record ({entry.details})")


def has_outcome(entry: ProxyEntry, decision: RecordedDecision | None) -> bool:
    """Whether what became of a request must be recorded: it was let through to a tool, and not back into the mesh."""
    reached = bool(entry.upstream) and not entry.cluster.startswith(_OWN_LISTENER)
    return reached and decision is not None and decision.effect.lets_through


def _place_of(entry: ProxyEntry | None) -> str:
    return f"{entry.file} line {entry.line}" if entry is not None and entry.upstream else ""


def _gap(kind: GapKind, entry: ProxyEntry, reason: str) -> Gap:
    return Gap(kind, entry.decision_id, entry.file, entry.line, reason)


def _decision(line: LogLine, members: Mapping[str, Json]) -> RecordedDecision:
    return RecordedDecision(
        file=line.file,
        line=line.number,
        decision_id=text(members["decision_id"], "decision_id"),
        time=number(members["time"], "time"),
        effect=Effect(text(members["effect"], "effect")),
        is_question=members.get("path") == _QUESTION,
    )


def _word(value: Json) -> str:
    return "" if value is None or value == "-" else str(value)
