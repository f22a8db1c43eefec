"""What Envoys did, held against the records while both go on: each call is judged once, as soon as it can be."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.evidence.reconciliation import (
    Gap,
    ProxyEntry,
    RecordedCalls,
    RecordedDecision,
    has_outcome,
    unallowed,
    without_call,
    without_outcome,
)

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something may be missing: the outcome of a call after its access log has it, and a call that was let
    through, which is in an access log once it is over.
    """

    outcome: Seconds
    call: Seconds


class RunningReconciliation:
    """Joins requests and records as they come, in time that does not grow with what came before.

    A request is to be judged once the records that were written before it was logged are in. At most `most` decisions,
    requests and calls that wait are remembered each; what was passed over for that is counted in `unjudged`.
    """

    def __init__(self, patience: Patience, most: int) -> None:
        self._patience = patience
        self._most = most
        self._decisions: OrderedDict[str, RecordedDecision] = OrderedDict()
        self._outcomes: OrderedDict[str, None] = OrderedDict()
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._uncalled: OrderedDict[str, RecordedDecision] = OrderedDict()
        self._unsettled: OrderedDict[str, tuple[Epoch, ProxyEntry]] = OrderedDict()
        self.calls = 0
        self.decisions = 0
        self.outcomes = 0
        self.unjudged = 0

    def decision(self, decision_id: str) -> RecordedDecision | None:
        """A decision that is remembered."""
        return self._decisions.get(decision_id)

    def add_records(self, recorded: RecordedCalls) -> tuple[Gap, ...]:
        """Take in what was recorded; the lines that cannot be read."""
        self.decisions += len(recorded.decisions)
        self.outcomes += len(recorded.outcomes)
        for decision_id, decision in recorded.decisions.items():
            self._decisions[decision_id] = decision
            if decision.has_call:
                self._uncalled[decision_id] = decision
        for decision_id in recorded.outcomes:
            if self._unsettled.pop(decision_id, None) is None:
                self._outcomes[decision_id] = None
        _bound(self._decisions, self._most)
        _bound(self._outcomes, self._most)
        self.unjudged += _bound(self._uncalled, self._most)
        return recorded.unreadable

    def add_entry(
        self, entry: ProxyEntry, decision: RecordedDecision | None, now: Epoch, *, is_settled: bool
    ) -> Iterator[Gap]:
        """Judge a request with its decision, None where no record holds it; `now` is when it was read.

        `is_settled` says that what became of it was recorded before any outcome that was taken in.
        """
        self._uncalled.pop(entry.decision_id, None)
        if not entry.upstream:
            return
        self.calls += 1
        yield from unallowed(entry, decision, self._sent.get(entry.decision_id, ""))
        if not entry.decision_id:
            return
        self._sent[entry.decision_id] = f"{entry.file} line {entry.line}"
        _bound(self._sent, self._most)
        if has_outcome(entry, decision) and not (is_settled or entry.decision_id in self._outcomes):
            self._unsettled[entry.decision_id] = (now, entry)
            self.unjudged += _bound(self._unsettled, self._most)

    def overdue(self, now: Epoch) -> Iterator[Gap]:
        """What was waited for long enough; each is told once."""
        while self._unsettled:
            decision_id, (since, entry) = next(iter(self._unsettled.items()))
            if since > now - self._patience.outcome:
                break
            del self._unsettled[decision_id]
            yield without_outcome(entry)
        # not in the order of their times: the logs of several writers are read one after the other
        late = [each for each in self._uncalled.values() if each.time <= now - self._patience.call]
        for decision in late:
            del self._uncalled[decision.decision_id]
            yield without_call(decision)


def _bound(memory: OrderedDict[str, _Value], most: int) -> int:
    """Forget the oldest beyond that many; how many."""
    count = max(0, len(memory) - most)
    for _ in range(count):
        memory.popitem(last=False)
    return count
