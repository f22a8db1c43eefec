"""Recorded calls decided again under a candidate: which are decided otherwise than they were, and by which rule."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from aegis_authz.core.decision import Decision, Obligation, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, FlatObligation, OutcomeRecord, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.replay import NotJudged
from aegis_authz.lab.calls import call_of
from aegis_authz.lab.explanation import explanation_of
from aegis_authz.lab.folding import JudgedCall, Step, needs_sessions
from aegis_authz.lab.recorded_questions import NotOfPolicy, RecordedQuestion, recorded_question
from aegis_authz.lab.rule_words import deciding_rules
from aegis_authz.lab.simulation import Direction
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.wire.opa.answer import question_to_data
from aegis_authz.wire.opa.obligations import obligations_to_data

_MOST_REMEMBERED = 300_000
_SESSION = "a flag is kept by session, and the record does not hold the one that the agent named"
_QUARANTINE = "the agent was quarantined, and the record does not say whether by hand"

Settle = Callable[[Sequence[Step]], Mapping[int, Decision]]
"""Settles judged calls and outcomes in their order; answers what became of those that something counts."""


@dataclass(frozen=True, slots=True)
class FlippedCall:
    """A recorded call that the candidate decides otherwise, and where its record stands.

    `members` are what differs: the effect, or what must be done for a call that passes both times. `rules` are those
    of the candidate that decide, in words. `is_certain` is not where limits count, of which a call used something that
    could not be judged again.
    """

    file: str
    line: int
    record: DecisionRecord
    before: Effect
    after: Decision
    direction: Direction
    members: tuple[str, ...]
    rules: tuple[str, ...]
    is_certain: bool


@dataclass(slots=True)
class BacktestReport:
    """What became of the records. `beside` counts, by reason, calls in which policy had no say; `not_judged`, by
    sentence, those that cannot be judged again, whose `unjudged` places are file and line; `unreadable` lines that are
    no record known here. `uncertain` calls met limits of which something was used that could not be judged. Of
    `effects`, by name, before and after.
    """

    records: int = 0
    judged: int = 0
    uncertain: int = 0
    unreadable: int = 0
    beside: Counter[str] = field(default_factory=Counter)
    not_judged: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    flips: list[FlippedCall] = field(default_factory=list)
    unjudged: set[tuple[str, int]] = field(default_factory=set)

    def leave_out(self, stored: StoredRecord, sentence: str) -> None:
        """Count a call that cannot be judged again, and why."""
        self.not_judged[sentence] += 1
        self.unjudged.add((stored.file, stored.number))


@dataclass(slots=True)
class _Pending:
    """A call of this batch."""

    stored: StoredRecord
    recorded: RecordedQuestion
    data: dict[str, Json]
    key: bytes
    decision: Decision | Refused | None = None


class Backtest:
    """Takes the records of logs in the order of their times, batch by batch, and adds up what they come to."""

    def __init__(self, bench: Workbench, settle: Settle, since: float, until: float) -> None:
        """Calls from `since` on and before `until`, of the epoch, are compared; those before them use limits, too."""
        self.report = BacktestReport()
        self._bench = bench
        self._settle = settle
        self._since, self._until = since, until
        self._remembered: dict[bytes, Decision | Refused] = {}
        self._rules: dict[bytes, tuple[str, ...]] = {}
        self._serial = 0
        self._unsure: set[str] = set()

    def take(self, batch: Sequence[StoredRecord]) -> None:
        """Judge the records of a batch, and settle them in their order. Raises LabError, Refused."""
        pending: list[_Pending] = []
        entries: list[_Pending | OutcomeRecord | UsageRecord | str] = []
        for stored in batch:
            self.report.records += 1
            record = stored.record
            if record is None:
                self.report.unreadable += 1
            elif isinstance(record, OutcomeRecord | UsageRecord):
                entries.append(record)
            elif isinstance(record, DecisionRecord) and record.time < self._until:
                entry = self._pending(stored, record)
                entries.append(entry)
                if isinstance(entry, _Pending):
                    pending.append(entry)
        self._judge(pending)
        self._compare(entries)

    def _pending(self, stored: StoredRecord, record: DecisionRecord) -> _Pending | str:
        """The call to be asked about, else the tenant whose limits an unjudged call may have used, "" for none."""
        self._serial += 1
        counts = record.time >= self._since
        try:
            recorded = recorded_question(record, self._bench.loaded, self._serial)
        except NotOfPolicy as refusal:
            if counts:
                self.report.beside[str(refusal)] += 1
            return ""
        except NotJudged as fault:
            if counts:
                self.report.leave_out(stored, str(fault))
            return self._tenant_used(record)
        snapshot = self._bench.snapshot
        question = replace(recorded.question, reads=snapshot.reads, roots=snapshot.roots)
        data = question_to_data(question)
        return _Pending(stored, recorded, data, hashlib.sha256(orjson.dumps(data)).digest())

    def _judge(self, pending: Iterable[_Pending]) -> None:
        """Ask OPA once about each question; the equal ones are remembered."""
        fresh: dict[bytes, dict[str, Json]] = {}
        for call in pending:
            if call.key not in self._remembered:
                fresh[call.key] = call.data
        if len(self._remembered) + len(fresh) > _MOST_REMEMBERED:
            recent = {call.key: self._remembered[call.key] for call in pending if call.key in self._remembered}
            self._remembered = recent
        decisions = self._bench.judge([*fresh.values()])
        self._remembered.update(zip(fresh, decisions, strict=True))
        for call in pending:
            call.decision = self._remembered[call.key]

    def _compare(self, entries: Sequence[_Pending | OutcomeRecord | UsageRecord | str]) -> None:
        steps: list[Step] = []
        calls: dict[int, tuple[_Pending, bool]] = {}
        for serial, entry in enumerate(entries, self._serial + 1):
            if isinstance(entry, str):
                self._unsure |= {entry} - {""}
            elif not isinstance(entry, _Pending):
                steps.append(entry)
            elif entry.decision is not None:
                if needs_sessions(entry.decision, self._bench.snapshot):
                    if entry.recorded.record.time >= self._since:
                        self.report.leave_out(entry.stored, _SESSION)
                    self._unsure |= {self._tenant_used(entry.recorded.record)} - {""}
                    continue
                tenant = entry.recorded.question.identity.scope.tenant_path
                calls[serial] = entry, self._is_counted(entry.decision) and tenant in self._unsure
                steps.append(JudgedCall(entry.recorded, entry.decision, serial))
        self._serial += len(entries)
        settled = self._settle(steps)
        flipped: list[tuple[_Pending, FlippedCall]] = []
        for serial, (call, is_unsure) in calls.items():
            flip = self._compared(call, settled.get(serial), is_unsure)
            if flip is not None:
                flipped.append((call, flip))
        self._explain(flipped)

    def _compared(self, call: _Pending, settled: Decision | None, is_unsure: bool) -> FlippedCall | None:
        recorded, record, report = call.recorded, call.recorded.record, self.report
        if record.time < self._since:
            return None
        after = settled if settled is not None else _readable(call.decision, self._bench)
        if recorded.is_quarantined and after.reason is not Reason.QUARANTINED:
            report.leave_out(call.stored, _QUARANTINE)
            return None
        report.judged += 1
        report.uncertain += is_unsure
        report.before[recorded.effect.value] += 1
        report.after[after.effect.value] += 1
        direction: Direction = "stricter" if recorded.effect < after.effect else "milder"
        members = ("effect",)
        if recorded.effect is after.effect:
            if not after.effect.lets_through or _same_obligations(record, after):
                return None
            direction, members = "other", ("obligations",)
        stored = call.stored
        return FlippedCall(
            stored.file, stored.number, record, recorded.effect, after, direction, members, (), not is_unsure
        )

    def _explain(self, flipped: Sequence[tuple[_Pending, FlippedCall]]) -> None:
        """Add the flips with the rules that decide; each question is explained once."""
        questions = {
            call.key: call for call, flip in flipped if call.key not in self._rules and _is_by_policy(call, flip)
        }
        explained = self._bench.explanations([call.data for call in questions.values()]) if questions else []
        for (key, call), data in zip(questions.items(), explained, strict=True):
            explanation = explanation_of(call_of(call.recorded.question), data, self._bench.loaded.loaded_policies)
            self._rules[key] = deciding_rules(explanation)
        for call, flip in flipped:
            rules = self._rules[call.key] if _is_by_policy(call, flip) else (_limit_words(flip.after),)
            self.report.flips.append(replace(flip, rules=rules))

    @staticmethod
    def _is_counted(decision: Decision | Refused) -> bool:
        return isinstance(decision, Decision) and bool(decision.limits)

    @staticmethod
    def _tenant_used(record: DecisionRecord) -> str:
        if record.identity is None or not record.effect.lets_through:
            return ""
        return record.identity.scope.tenant_path


def _readable(decision: Decision | Refused | None, bench: Workbench) -> Decision:
    """The decision; one that the mesh could not read is a denial."""
    if isinstance(decision, Decision):
        return decision
    if decision is None:
        raise ValueError("a call that was not judged")
    return denied(decision.reason, decision.detail, bench.snapshot.revision)


def _is_by_policy(call: _Pending, flip: FlippedCall) -> bool:
    """Whether what policy says stood, and no limit or breaker made another thing of it."""
    return isinstance(call.decision, Decision) and call.decision.effect is flip.after.effect


def _limit_words(decision: Decision) -> str:
    """The limit that made another thing of a call, with its document; else the reason."""
    words = decision.detail or decision.reason.value
    return f"{', '.join(decision.policies)}: {words}" if decision.policies else words


def _same_obligations(record: DecisionRecord, after: Decision) -> bool:
    before: list[Obligation] = []
    for obligation in record.obligations:
        if isinstance(obligation, FlatObligation):
            return True  # version 1 leaves out parts of them
        before.append(obligation)
    return _terms(before) == _terms(after.obligations)


def _terms(obligations: Iterable[Obligation]) -> list[bytes]:
    return sorted(map(canonical, obligations_to_data([*obligations])))
