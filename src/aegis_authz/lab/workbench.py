"""Documents on a bench: compiled as publishing would, loaded into an OPA of one's own, and asked about calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from aegis_authz.core.call import CallKind
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.lab.calls import TriedCall, question_of
from aegis_authz.lab.cases import Case
from aegis_authz.lab.opa import LabError, LabOpa
from aegis_authz.lab.sequence_cases import Play
from aegis_authz.lab.sequences import Played
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.limits import limited_calls
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.load import Loaded

Settle = Callable[[Sequence[tuple[TriedCall, Play]], Sequence[Decision | Refused], Snapshot], list[list[Played]]]
"""Settles the calls of sequences, whose decisions are made, under a snapshot."""

_NOBODY = trust_to_data("lab", "lab", [], [], 300, 0)  # tried calls carry no token


class Workbench:
    """Loaded documents and an OPA that runs them. `put` exchanges the policies and keeps the tools."""

    def __init__(self, loaded: Loaded, opa: LabOpa, settle: Settle | None = None) -> None:
        """`settle` plays sequences on a store of its own; without it none can be played."""
        self.loaded = loaded
        self.catalogue = Catalogue.of(loaded.tools)
        self._opa = opa
        self._settle = settle
        self._snapshot: Snapshot | None = None
        self._words: Mapping[str, str] = {}
        self.put(loaded.compiled)

    def put(self, policies: Sequence[CompiledDocument]) -> None:
        """Run these policies from now on. Raises LabError."""
        compiled = compile_policy(policies, self.loaded.tools, _NOBODY, "", prices=self.loaded.prices)
        self._opa.load(compiled.data)
        self._snapshot = compiled.snapshot
        self._words = {
            str(limit.limit.id): f"{calls.name}.{limit.word}" if calls.name else limit.word
            for policy in policies
            for calls in limited_calls(policy)
            for limit in calls.limits
        }

    @property
    def snapshot(self) -> Snapshot:
        """The revision on the bench. Raises LabError where there is none."""
        if self._snapshot is None:
            raise LabError("there are no documents on the bench")
        return self._snapshot

    def judge(self, questions: Sequence[Json]) -> list[Decision | Refused]:
        """What the mesh would decide of whole questions, in order. Raises LabError, Refused."""
        return self._opa.decisions(questions)

    def explanations(self, questions: Sequence[Json]) -> list[Mapping[str, Json]]:
        """Why, of whole questions, as `explain` says. Raises LabError."""
        return self._opa.explanations(questions)

    def decide(self, calls: Sequence[TriedCall]) -> list[Decision | Refused]:
        """What the mesh would decide, in order. Raises LabError, Refused."""
        return self._opa.decisions(self._questions(calls))

    def play(self, steps: Sequence[Case]) -> list[list[Played]]:
        """What becomes of the steps of sequences, each repetition by itself. Raises LabError, Refused."""
        settled = self._settled([(step.call, step.play) for step in steps if step.play is not None])
        return [[self._named(repetition) for repetition in step] for step in settled]

    def settle(self, calls: Sequence[TriedCall]) -> list[Decision]:
        """What becomes of the calls, in order, made one after another at their times. Raises LabError, Refused.

        The store is empty before the first of them.
        """
        order = sorted(range(len(calls)), key=lambda place: datetime.fromisoformat(calls[place].context.time))
        settled = self._settled([(calls[place], Play(0, 1, "")) for place in order])
        decisions = {place: _whole(step[0]) for place, step in zip(order, settled, strict=True)}
        return [decisions[place] for place in range(len(calls))]

    def _settled(self, plays: Sequence[tuple[TriedCall, Play]]) -> list[list[Played]]:
        if self._settle is None or self._snapshot is None:
            raise LabError("there is no store to play sequences on")
        return self._settle(plays, self.decide([call for call, _ in plays]), self._snapshot)

    def _named(self, settled: Played) -> Played:
        """With what is left by the words of limits; of several with one word, the least."""
        left: dict[str, float] = {}
        for limit_id, amount in settled.left.items():
            word = self._words[limit_id]
            left[word] = min(amount, left.get(word, amount))
        return replace(settled, left=left)

    def explain(self, calls: Sequence[TriedCall], kind: CallKind | None = None) -> list[Mapping[str, Json]]:
        """Why, in order: `{decision, documents: [{name, mode, rules: [{id, outcome, conditions}]}]}`. Raises LabError.

        `kind` is that of all the calls, None where the catalogue is to tell.
        """
        return self._opa.explanations(self._questions(calls, kind))

    def _questions(self, calls: Sequence[TriedCall], kind: CallKind | None = None) -> list[Json]:
        return [question_of(call, self.catalogue, kind) for call in calls]


def _whole(settled: Played) -> Decision:
    """The decision, with who may let the call pass where a limit asks for that."""
    return settled.decided if settled.approval is None else replace(settled.decided, approval=settled.approval)
