"""Trials of readers: on an OPA of their own, one at a time, and without a word in what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from aegis_authz.bootstrap.policy_trials import LabTrials
from aegis_authz.control.policies.laboratory import Laboratory, LaboratoryBusy
from aegis_authz.control.policies.trials import TrialServerMissing
from aegis_authz.core.call import CallKind
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Seconds
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import Explanation
from aegis_authz.lab.trial_report import TrialReport
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.tried_policies import POLICIES, TESTS, TOOLS

AGENT = "acme/emea/payer"
TEXT = f"agent: {AGENT}\ntool: payments-api\naction: pay\nparameters: {{amount: 500, payee: X}}\n"
STRANGER = TEXT.replace(AGENT, "a/b/c")


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS})


class SlowBench:
    """A scripted bench: it explains nothing before it may."""

    def __init__(self) -> None:
        self.may, self.running, self.calls = asyncio.Event(), 0, list[str]()

    async def explanation(self, loaded: Loaded, call: TriedCall, kind: CallKind | None) -> Explanation:
        assert self.running == 0
        self.running += 1
        self.calls.append(call.agent)
        await self.may.wait()
        self.running -= 1
        return Explanation(call, Refused(Reason.POLICY_ABSENT, ""), (), (), ())

    async def report(self, loaded: Loaded, tests: Mapping[str, str]) -> TrialReport:
        raise TrialServerMissing("opa: there is none")

    async def until(self, agent: str) -> None:
        while agent not in self.calls:
            await asyncio.sleep(0)


@pytest.mark.usefixtures("opa_binary")
async def test_a_call_is_explained_with_its_rules_and_what_there_is_to_add(loaded: Loaded) -> None:
    trial = await Laboratory(LabTrials()).explain(loaded, TEXT, "ann")
    [document] = trial.explanation.documents
    assert (document.name, [rule.outcome for rule in document.rules]) == ("paying", ["deny"])
    stranger = await Laboratory(LabTrials()).explain(loaded, STRANGER, "ann")
    assert stranger.notes[0].startswith("no document covers a/b/c")


@pytest.mark.usefixtures("opa_binary")
async def test_tests_are_run_and_say_what_they_try(loaded: Loaded) -> None:
    report = await Laboratory(LabTrials()).report(loaded, {"a_test.yaml": TESTS}, "ann")
    assert report.failures == ()
    assert [(coverage.document, coverage.percent) for coverage in report.covered][1] == ("reading", 100.0)
    nothing = await Laboratory(LabTrials()).report(loaded, {}, "ann")
    assert (nothing.outcomes, {coverage.rules_reached for coverage in nothing.covered}) == ((), {0})


async def test_one_reader_at_a_time_and_who_waits_too_long_is_told_so(loaded: Loaded) -> None:
    bench = SlowBench()
    laboratory = Laboratory(bench, Seconds(0.01))
    first = asyncio.create_task(laboratory.explain(loaded, TEXT, "ann"))
    await bench.until(AGENT)
    for reader in ("ann", "bob"):
        with pytest.raises(LaboratoryBusy, match="other readers try something"):
            await laboratory.explain(loaded, TEXT, reader)
    bench.may.set()
    assert isinstance((await first).explanation.decision, Refused)


async def test_who_hangs_up_does_not_have_the_next_trial_run_beside_their_own(loaded: Loaded) -> None:
    bench = SlowBench()
    laboratory = Laboratory(bench)
    first = asyncio.create_task(laboratory.explain(loaded, TEXT, "ann"))
    await bench.until(AGENT)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(laboratory.explain(loaded, STRANGER, "bob"))
    while "bob" not in laboratory._turns._waiting:
        await asyncio.sleep(0)
    assert bench.calls == [AGENT]
    bench.may.set()
    await second


async def test_a_call_that_takes_long_to_be_read_holds_up_nobody(loaded: Loaded) -> None:
    reading = asyncio.create_task(Laboratory(SlowBench()).explain(loaded, "---\na: 1\n" * 2000, "ann"))
    others = 0
    while not reading.done():
        await asyncio.sleep(0)
        others += 1
    with pytest.raises(PolicyErrors):
        await reading
    assert others > 20


async def test_where_no_opa_is_the_reader_is_told_so(loaded: Loaded) -> None:
    with pytest.raises(TrialServerMissing, match="there is none"):
        await Laboratory(SlowBench()).report(loaded, {}, "ann")


@pytest.mark.usefixtures("opa_binary")
async def test_documents_of_aegis_itself_are_nobodys_to_test() -> None:
    own = "agent: prober\nname: aegis itself\nallowed_tools:\n- name: payments-api\n  actions: [pay]\n"
    documents = load({"/aegis/own.yaml": own, "agents.yaml": POLICIES}, {"tools.yaml": TOOLS})
    report = await Laboratory(LabTrials()).report(documents, {"a_test.yaml": TESTS}, "ann")
    assert [coverage.document for coverage in report.covered] == ["paying", "reading"]
