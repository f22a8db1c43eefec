"""What recorded calls must come to before a publication is served, and who may say that it is served all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aegis_authz.control.policies.backtests import BacktestRule, PublicationTrials, Verdict
from aegis_authz.control.policies.trials import NotTried, TrialRule, TrialServerMissing, TrialsFault
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Seconds
from aegis_authz.policy.load import Loaded, load
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.releases import MemoryReleases
from tests.control.policies.test_trials import Documents, ScriptedTrials
from tests.support.tried_policies import POLICIES, TOOLS

SERVED = Sources({"a.yaml": POLICIES}, {"t.yaml": TOOLS})
WIDER = Sources({"a.yaml": POLICIES.replace("max_amount: 100", "max_amount: 900")}, {"t.yaml": TOOLS})
NOTHING = Sources({}, {})
PASSED = Verdict(judged=40, milder=0, unjudged=0, first="", rest=", 2 not judged")
MILDER = replace(PASSED, milder=3, first="payments-api pay (deny -> allow, by paying: allowed_tools[0])")


class ScriptedBacktests:
    """Comes to what it is scripted to, and remembers beside what."""

    def __init__(self, outcome: Verdict | Exception) -> None:
        self.outcome = outcome
        self.beside: list[Loaded | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def verdict(self, loaded: Loaded, served: Loaded | None) -> Verdict:
        self.beside.append(served)
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def rule(outcome: Verdict | Exception, fewest: int = 1, turn: float = 60.0) -> BacktestRule:
    return BacktestRule(ScriptedBacktests(outcome), Documents(), fewest, Seconds(turn))


async def test_what_decides_no_recorded_call_more_mildly_passes_and_the_change_log_says_on_how_many() -> None:
    remark = await rule(PASSED).require(WIDER, SERVED, "ann", "")
    assert remark == "(tried on 40 recorded calls, 2 not judged: none is decided more mildly)"


async def test_what_decides_some_more_mildly_is_refused_with_the_first_of_them_and_the_way_out() -> None:
    with pytest.raises(NotTried) as refused:
        await rule(MILDER).require(WIDER, SERVED, "ann", "")
    assert (refused.value.status, refused.value.retry_after) == (422, 0.0)
    assert str(refused.value).startswith(
        "3 of 40 recorded calls would be decided more mildly, 2 not judged, the first payments-api pay (deny -> allow, by "
        "paying: allowed_tools[0]). Nothing changed; an owner publishes all the same by saying why"
    )


async def test_what_hides_recorded_calls_from_its_trial_is_refused() -> None:
    hiding = replace(PASSED, unjudged=1)
    with pytest.raises(
        NotTried, match="1 of the recorded calls cannot be judged under it and can under what"
    ) as refused:
        await rule(hiding).require(WIDER, SERVED, "ann", "")
    assert refused.value.status == 422
    assert "accepted by ann: the tool is gone" in await rule(hiding).require(WIDER, SERVED, "ann", "the tool is gone")


async def test_what_is_accepted_is_in_the_change_log_with_who_and_why() -> None:
    remark = await rule(MILDER).require(WIDER, SERVED, "ann", "limits were too low")
    assert remark.startswith("(3 of 40 recorded calls would be decided more mildly")
    assert remark.endswith("; accepted by ann: limits were too low)")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (TrialServerMissing("opa: there is none"), "it could not be tried on recorded calls: opa: there is none"),
        (TrialsFault("00000001.jsonl.enc cannot be read"), "could not be tried on recorded calls: 00000001.jsonl.enc"),
    ],
)
async def test_what_cannot_be_tried_has_not_passed(fault: Exception, words: str) -> None:
    with pytest.raises(NotTried, match=words) as refused:
        await rule(fault).require(WIDER, SERVED, "ann", "")
    assert refused.value.status == 503
    assert "accepted by ann: OPA is away" in await rule(fault).require(WIDER, SERVED, "ann", "OPA is away")


async def test_too_few_calls_show_nothing() -> None:
    with pytest.raises(NotTried, match="tried on 40 recorded calls, 2 not judged, and must be on 41") as refused:
        await rule(PASSED, fewest=41).require(WIDER, SERVED, "ann", "")
    assert refused.value.status == 422
    with pytest.raises(NotTried, match="tried on 0 recorded calls"):
        await rule(replace(PASSED, judged=0)).require(WIDER, SERVED, "ann", "")
    assert await rule(replace(PASSED, judged=0), fewest=0).require(WIDER, SERVED, "ann", "")


async def test_whoever_waits_too_long_for_others_has_not_passed() -> None:
    backtests = ScriptedBacktests(PASSED)
    backtests.gate.clear()
    gate = BacktestRule(backtests, Documents(), 1, Seconds(0.01))
    first = asyncio.create_task(gate.require(WIDER, SERVED, "ann", ""))
    while not backtests.beside:
        await asyncio.sleep(0)
    with pytest.raises(NotTried, match="for other publications") as refused:
        await gate.require(WIDER, SERVED, "bob", "")
    assert (refused.value.status, refused.value.retry_after) == (503, 10.0)
    backtests.gate.set()
    assert await first


async def test_before_the_first_revision_and_beside_documents_that_are_not_valid_now_all_that_is_milder_counts() -> (
    None
):
    backtests = ScriptedBacktests(PASSED)
    gate = BacktestRule(backtests, Documents(), 1)
    for served in (NOTHING, Sources({"a.yaml": "agent: 7\n"}, {})):
        await gate.require(WIDER, served, "ann", "")
    assert backtests.beside == [None, None]
    await gate.require(WIDER, SERVED, "ann", "")
    beside = backtests.beside[-1]
    assert beside is not None
    assert [policy.source.path for policy in beside.loaded_policies] == [
        policy.source.path for policy in load(SERVED.policies, SERVED.tools).loaded_policies
    ]


async def test_where_nobody_asks_for_it_there_are_the_tests_alone() -> None:
    releases = MemoryReleases(MemoryProposals(for_tests=True), for_tests=True)
    tests = TrialRule(ScriptedTrials([]), Documents(), is_required=False)
    passed = await PublicationTrials(tests, None, releases).require(WIDER, {}, "ann", "")
    assert (passed.remark, passed.beside) == ("", None)
    tried = await PublicationTrials(tests, rule(PASSED), releases).require(WIDER, {}, "ann", "")
    assert "tried on 40" in tried.remark
    assert tried.beside == NOTHING
