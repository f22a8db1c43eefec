"""What the policy tests of a publication must come to, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from aegis_authz.control.policies.trials import (
    MAX_TEST_BYTES,
    NotTried,
    TrialRule,
    TrialServerMissing,
    TrialsFault,
)
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Seconds
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors, Problem

SOURCES = Sources({}, {})
TESTS = {"a_test.yaml": "tests: []\n"}
FAILURE = Problem("a_test.yaml", 3, 1, "", 'the test "a payment" fails')


class Documents:
    """Documents without fault."""

    def loaded(self, sources: Sources) -> Loaded:
        return load(sources.policies, sources.tools)


class ScriptedTrials:
    """Comes to what it is scripted to; a run of a text that `waits` lasts until that event."""

    def __init__(self, outcome: list[Problem] | Exception) -> None:
        self.outcome = outcome
        self.waits: dict[str, asyncio.Event] = {}
        self.runs: list[str] = []
        self.running = 0
        self.begun = asyncio.Condition()

    async def failures(self, loaded: Loaded, tests: Mapping[str, str]) -> list[Problem]:
        assert self.running == 0
        self.running += 1
        (text,) = tests.values()
        async with self.begun:
            self.runs.append(text)
            self.begun.notify_all()
        if text in self.waits:
            await self.waits[text].wait()
        self.running -= 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def until(self, text: str) -> None:
        """Wait until the run of this text has begun."""
        async with self.begun:
            await self.begun.wait_for(lambda: text in self.runs)


def rule(trials: ScriptedTrials, turn: float = 60.0, *, is_required: bool = False) -> TrialRule:
    return TrialRule(trials, Documents(), is_required, Seconds(turn))


async def test_tests_that_pass_leave_nothing_to_say() -> None:
    trials = ScriptedTrials([])
    assert await rule(trials, is_required=True).require(SOURCES, TESTS, "ann") == ""
    assert trials.runs == ["tests: []\n"]


@pytest.mark.parametrize("is_required", [True, False])
async def test_a_test_that_fails_refuses_the_publication(is_required: bool) -> None:
    with pytest.raises(PolicyErrors, match=r"a_test\.yaml:3:1: the test \"a payment\" fails"):
        await rule(ScriptedTrials([FAILURE]), is_required=is_required).require(SOURCES, TESTS, "ann")


async def test_without_tests_nothing_is_run_and_where_they_are_required_nothing_is_published() -> None:
    trials = ScriptedTrials(TrialsFault("never asked"))
    assert await rule(trials).require(SOURCES, {}, "ann") == ""
    with pytest.raises(NotTried, match="publishes nothing without policy tests") as refused:
        await rule(trials, is_required=True).require(SOURCES, {}, "ann")
    assert (refused.value.status, trials.runs) == (422, [])


async def test_where_no_opa_is_the_change_log_says_so_unless_tests_are_required() -> None:
    trials = ScriptedTrials(TrialServerMissing("opa: there is none. Set AEGIS_OPA_BIN"))
    remark = await rule(trials).require(SOURCES, TESTS, "ann")
    assert remark == "(tests were not run by the control plane)"
    with pytest.raises(NotTried, match=r"cannot run them: opa: there is none\. Set AEGIS_OPA_BIN") as refused:
        await rule(trials, is_required=True).require(SOURCES, TESTS, "ann")
    assert refused.value.status == 503


@pytest.mark.parametrize("is_required", [True, False])
async def test_tests_that_do_not_come_to_their_end_have_not_passed(is_required: bool) -> None:
    trials = ScriptedTrials(TrialsFault("OPA did not answer"))
    with pytest.raises(NotTried, match="nothing changed: OPA did not answer") as refused:
        await rule(trials, is_required=is_required).require(SOURCES, TESTS, "ann")
    assert refused.value.status == 503


async def test_tests_of_any_size_are_not_read() -> None:
    trials = ScriptedTrials([])
    with pytest.raises(PolicyErrors, match="larger than"):
        await rule(trials).require(SOURCES, {"a_test.yaml": "x" * MAX_TEST_BYTES, "b_test.yaml": "x"}, "ann")
    assert trials.runs == []


async def test_the_tests_of_one_publication_run_at_a_time_and_nobody_waits_for_all_of_anothers() -> None:
    trials = ScriptedTrials([])
    trials.waits = {"ann 1": asyncio.Event()}
    gate = rule(trials)
    first = asyncio.create_task(gate.require(SOURCES, {"t": "ann 1"}, "ann"))
    await trials.until("ann 1")
    others = [asyncio.create_task(gate.require(SOURCES, {"t": f"ann {n}"}, "ann")) for n in (2, 3, 4)]
    bob = asyncio.create_task(gate.require(SOURCES, {"t": "bob"}, "bob"))
    while len(gate._turns._waiting) < 2:
        await asyncio.sleep(0)
    trials.waits["ann 1"].set()
    await asyncio.gather(first, bob, *others)
    assert trials.runs.index("bob") <= 2
    assert sorted(trials.runs) == ["ann 1", "ann 2", "ann 3", "ann 4", "bob"]
    assert (gate._turns._own_lines, +gate._turns._waiting) == ({}, {})


async def test_who_waits_too_long_is_told_to_come_again_and_holds_nobody_up() -> None:
    trials = ScriptedTrials([])
    trials.waits = {"ann": asyncio.Event()}
    gate = rule(trials, turn=0.01)
    first = asyncio.create_task(gate.require(SOURCES, {"t": "ann"}, "ann"))
    await trials.until("ann")
    for person in ("ann", "bob"):
        with pytest.raises(NotTried, match="of other publications are being run") as refused:
            await gate.require(SOURCES, {"t": "later"}, person)
        assert (refused.value.status, refused.value.retry_after) == (503, 10.0)
    trials.waits["ann"].set()
    assert await first == ""
    assert await gate.require(SOURCES, {"t": "later"}, "bob") == ""


async def test_who_hangs_up_does_not_have_the_next_tests_run_beside_their_own() -> None:
    trials = ScriptedTrials([])
    trials.waits = {"ann": asyncio.Event()}
    gate = rule(trials)
    first = asyncio.create_task(gate.require(SOURCES, {"t": "ann"}, "ann"))
    await trials.until("ann")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(gate.require(SOURCES, {"t": "bob"}, "bob"))
    while "bob" not in gate._turns._waiting:
        await asyncio.sleep(0)
    assert trials.runs == ["ann"]
    trials.waits["ann"].set()
    assert await second == ""
