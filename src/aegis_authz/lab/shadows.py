"""What shadow documents would have decided of recorded calls, by the rule that would have had the word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.replay import NotJudged
from aegis_authz.lab.calls import call_of
from aegis_authz.lab.explanation import explanation_of
from aegis_authz.lab.recorded_questions import NotOfPolicy, RecordedQuestion, recorded_question
from aegis_authz.lab.rule_words import shadow_rules
from aegis_authz.lab.workbench import Workbench
from aegis_authz.wire.opa.answer import question_to_data

_OTHERS = "other shadow documents than these: none of their rules would have had that effect"


@dataclass(frozen=True, slots=True)
class ShadowedCall:
    """A recorded call that a shadow document would have decided more strictly, where its record stands, and by which
    rules, in words.
    """

    file: str
    line: int
    record: DecisionRecord
    would: Effect
    rules: tuple[str, ...]


@dataclass(slots=True)
class ShadowReport:
    """`calls` are all of which a shadow document said something; `stricter` those it would have decided so."""

    records: int = 0
    calls: int = 0
    stricter: list[ShadowedCall] = field(default_factory=list)


class Shadows:
    """Takes records batch by batch. What a record does not hold is not asked about, and its rule is not known."""

    def __init__(self, bench: Workbench, since: float) -> None:
        """Calls from `since` on, of the epoch, are told of."""
        self.report = ShadowReport()
        self._bench = bench
        self._since = since
        self._rules: dict[tuple[bytes, Effect], tuple[str, ...]] = {}
        self._serial = 0

    def take(self, batch: Sequence[StoredRecord]) -> None:
        """Add the calls of a batch. Raises LabError."""
        self.report.records += len(batch)
        fresh: dict[tuple[bytes, Effect], tuple[RecordedQuestion, dict[str, Json]]] = {}
        calls: list[tuple[ShadowedCall, tuple[bytes, Effect] | None]] = []
        for stored in batch:
            record = stored.record
            if not isinstance(record, DecisionRecord) or not record.would or record.time < self._since:
                continue
            self.report.calls += 1
            would = Effect(record.would)
            if would > record.effect:
                call = ShadowedCall(stored.file, stored.number, record, would, ())
                calls.append(self._question_of(call, fresh))
        new = {key: entry for key, entry in fresh.items() if key not in self._rules}
        explained = self._bench.explanations([data for _, data in new.values()]) if new else []
        for (key, (recorded, _)), answer in zip(new.items(), explained, strict=True):
            explanation = explanation_of(call_of(recorded.question), answer, self._bench.loaded.loaded_policies)
            self._rules[key] = shadow_rules(explanation, key[1]) or (_OTHERS,)
        self.report.stricter += [call if key is None else replace(call, rules=self._rules[key]) for call, key in calls]

    def _question_of(
        self, call: ShadowedCall, fresh: dict[tuple[bytes, Effect], tuple[RecordedQuestion, dict[str, Json]]]
    ) -> tuple[ShadowedCall, tuple[bytes, Effect] | None]:
        self._serial += 1
        try:
            recorded = recorded_question(call.record, self._bench.loaded, self._serial)
        except (NotOfPolicy, NotJudged) as fault:
            return replace(call, rules=(f"not known: {fault}",)), None
        snapshot = self._bench.snapshot
        question = replace(recorded.question, reads=snapshot.reads, roots=snapshot.roots)
        data = question_to_data(question)
        key = hashlib.sha256(orjson.dumps(data)).digest(), call.would
        fresh[key] = recorded, data
        return call, key
