"""Where whoever reads policies tries them: a call and why it is decided so, tests and what they try. Nothing changes.

It is on an OPA of its own, as the tests of a publication are, and never on one of the mesh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from aegis_authz.control.policies.building import OWN
from aegis_authz.control.policies.turns import TurnMissed, Turns
from aegis_authz.core.call import CallKind
from aegis_authz.core.units import Seconds
from aegis_authz.lab.call_sources import one_call
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import Explanation
from aegis_authz.lab.explanation_notes import of_body, sentences
from aegis_authz.lab.trial_report import TrialReport
from aegis_authz.policy.load import Loaded

_TURN = Seconds(20.0)
"""How long a reader waits for others."""
_NAME = "call"
"""What problems call the text of a call."""
_Result = TypeVar("_Result")


class LaboratoryBusy(Exception):
    """Others try something, and went on for as long as one waits; the message is fit to show."""


class Bench(Protocol):
    """Asks an OPA about documents that nobody serves."""

    async def explanation(self, loaded: Loaded, call: TriedCall, kind: CallKind | None) -> Explanation:
        """Why that call is decided as it is; `kind` is how it came about, None where the catalogue is to tell.

        Raises TrialServerMissing, TrialsFault, also where it takes long.
        """
        ...

    async def report(self, loaded: Loaded, tests: Mapping[str, str]) -> TrialReport:
        """What becomes of tests, and how much of the documents they try.

        Raises PolicyErrors for tests that cannot be read, TrialServerMissing, TrialsFault, also where it takes long.
        """
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that was tried: why it is decided so, and what there is to add in sentences."""

    explanation: Explanation
    notes: tuple[str, ...]


class Laboratory:
    """One reader's trial at a time, and the next is that of another reader: it waits in no line of publications."""

    def __init__(self, bench: Bench, turn: Seconds = _TURN) -> None:
        """`turn` is how long a reader waits for others."""
        self._bench = bench
        self._turns = Turns(turn)

    async def explain(self, loaded: Loaded, text: str, by: str) -> Trial:
        """Try the call that a text holds under these documents.

        Raises PolicyErrors for a text that holds no call, LaboratoryBusy, TrialServerMissing, TrialsFault.
        """
        return await self._in_turn(partial(self._explain, loaded, text), by)

    async def report(self, loaded: Loaded, tests: Mapping[str, str], by: str) -> TrialReport:
        """Run these tests; what they try of the documents of Aegis itself is nobody's to test.

        Raises PolicyErrors, LaboratoryBusy, TrialServerMissing, TrialsFault.
        """
        report = await self._in_turn(partial(self._bench.report, loaded, tests), by)
        policies = loaded.loaded_policies
        own = {policy.document.title for policy in policies if policy.source.path.startswith(f"{OWN}/")}
        return replace(report, covered=tuple(entry for entry in report.covered if entry.document not in own))

    async def _explain(self, loaded: Loaded, text: str) -> Trial:
        # in a thread: a text that is made for it takes most of a second to be read
        call = (await asyncio.to_thread(one_call, _NAME, text, loaded)).call
        explanation = await self._bench.explanation(loaded, call, None)
        return await asyncio.to_thread(_trial, explanation, call, loaded)

    async def _in_turn(self, work: Callable[[], Awaitable[_Result]], by: str) -> _Result:
        try:
            return await self._turns.run(by, work)
        except TurnMissed:
            raise LaboratoryBusy("other readers try something at this moment; try again in some seconds") from None


def _trial(explanation: Explanation, call: TriedCall, loaded: Loaded) -> Trial:
    notes = (*sentences(explanation, loaded.loaded_policies), *of_body(call, loaded.known_tools))
    return Trial(explanation, notes)
