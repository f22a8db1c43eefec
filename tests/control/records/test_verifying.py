"""One proof at a time, in a thread of its own."""

from __future__ import annotations

import asyncio

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.records.verifying import Verification, Verifier
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.search import RecordsUnavailable
from tests.control.records.test_reading import ScriptedBrowsing

INTACT = LogReport(
    writer="authz-0",
    records=1,
    sealed=1,
    unknown=0,
    first_time=1.0,
    last_time=1.0,
    head="",
    key_ids=("k",),
    sealing_ids=("k",),
    cuts=(),
    damages=(),
    damage_count=0,
    is_foreign=False,
    notes=(),
)
DAMAGED = LogReport.without_lines("authz-1", bytes(32), "the whole log is missing")


class Proving(ScriptedBrowsing):
    """Proofs with this result, each once the gate is open."""

    def __init__(self, *results: LogReport | Exception) -> None:
        super().__init__()
        self._results = results
        self.proofs = 0

    def verify(self) -> list[LogReport]:
        self.proofs += 1
        assert self.gate.wait(30)
        for result in self._results:
            if isinstance(result, Exception):
                raise result
        return [result for result in self._results if isinstance(result, LogReport)]


async def ended(verifier: Verifier) -> Verification:
    async with asyncio.timeout(30):
        while (last := verifier.last) is None or last.is_running:  # the end comes from a thread
            await asyncio.sleep(0.01)
    return last


async def test_a_proof_says_who_asked_when_and_what_came_of_each_log() -> None:
    browsing = Proving(INTACT, DAMAGED)
    verifier = Verifier(browsing, SystemClock())
    assert verifier.last is None
    assert verifier.start("ann").is_running
    last = await ended(verifier)
    assert (last.by, last.is_intact, last.reports) == ("ann", False, (INTACT, DAMAGED))
    assert last.ended is not None
    assert last.ended >= last.begun


async def test_logs_that_are_all_whole_are_intact_and_a_proof_that_goes_on_proves_nothing_yet() -> None:
    browsing = Proving(INTACT)
    browsing.gate.clear()
    verifier = Verifier(browsing, SystemClock())
    assert not verifier.start("ann").is_intact
    browsing.gate.set()
    assert (await ended(verifier)).is_intact


async def test_who_asks_meanwhile_gets_the_proof_that_goes_on_and_afterwards_another() -> None:
    browsing = Proving(INTACT)
    browsing.gate.clear()
    verifier = Verifier(browsing, SystemClock())
    first = verifier.start("ann")
    assert verifier.start("bob") is first
    browsing.gate.set()
    await ended(verifier)
    assert verifier.start("bob").by == "bob"
    await ended(verifier)
    assert browsing.proofs == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [(RecordsUnavailable("there are no records yet"), "no records yet"), (ZeroDivisionError("x"), "the log says more")],
)
async def test_a_proof_that_fails_is_over_says_why_and_is_not_intact(fault: Exception, words: str) -> None:
    verifier = Verifier(Proving(fault), SystemClock())
    verifier.start("ann")
    last = await ended(verifier)
    assert words.split()[-1] in last.fault
    assert not last.is_intact
