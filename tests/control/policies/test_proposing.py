"""One proposal is decided once: it is published, and what is served is its documents, in one step or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.policies.bulletin import Bulletin, Live
from aegis_authz.control.policies.directory import EMPTY_DIRECTORY
from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.publication import Draft, Published
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.proposal import Proposal, ProposalConflict, ProposalState
from aegis_authz.core.release import Change, ChangeKind, ReleaseConflict, Sources
from aegis_authz.core.units import Epoch, Revision
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.releases import MemoryReleases
from tests.support.people import person
from tests.support.publication import NoTesting

AFTER = Sources({"a.yaml": "agent: a\n"}, {})
PROPOSAL = Proposal(
    id="pub_1",
    base=Revision(""),
    sources=AFTER,
    kind=ChangeKind.PUBLISHED,
    by="ann",
    at=Epoch(1000.0),
    message="",
    state=ProposalState.WAITING,
    decided_by="",
    tests={},
)
PIA = person("pia", "policy_admin")


class Killed(BaseException):
    """What a process that is killed does after: nothing."""


class ScriptedBuilder:
    """Names revisions after their documents; `before` runs while one is built, and `problems` are of lint."""

    def __init__(self) -> None:
        self.before: Callable[[], None] = lambda: None
        self.problems: list[Problem] = []

    def build(self, sources: Sources) -> Live:
        self.before()
        name = "-".join(text.removeprefix("agent: ").strip() for text in sources.policies.values()) or "none"
        return Live(Revision(name), b"bundle", EMPTY_DIRECTORY, None, "")

    def errors(self, sources: Sources, now: datetime) -> list[Problem]:
        return self.problems


class NoAdmission:
    """What is confirmed was admitted before."""

    async def admit(self, draft: Draft) -> None:
        raise AssertionError("a confirmed proposal is not proposed")


class ScriptedReleases(MemoryReleases):
    """Ends the process before or after the one step that publishes."""

    is_killed_before = False
    is_killed_after = False

    def activate_proposal(self, change: Change, proposal_id: str, confirmed_by: str) -> None:
        if self.is_killed_before:
            raise Killed
        super().activate_proposal(change, proposal_id, confirmed_by)
        if self.is_killed_after:
            raise Killed


class Scene:
    """A desk, and all that is behind it."""

    def __init__(self) -> None:
        self.proposals = MemoryProposals(for_tests=True)
        self.releases = ScriptedReleases(self.proposals, for_tests=True)
        self.builder = ScriptedBuilder()
        self.people = MemoryPeople(for_tests=True)
        self.start()

    def start(self) -> None:
        """As a control plane does that begins on what another one left."""
        clock = SystemClock()
        self.publisher = Publisher(self.releases, self.builder, Bulletin(), NoAdmission(), NoTesting(), clock)
        self.desk = ProposalDesk(self.proposals, self.publisher, self.people)

    def confirm(self) -> Awaitable[Published]:
        return self.desk.confirm("pub_1", PROPOSAL.digest, PIA)

    async def state(self) -> tuple[str, ProposalState, str]:
        proposal = await self.proposals.get("pub_1")
        return self.releases.current(), proposal.state, proposal.decided_by


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.people.add(Account(person("ann", "owner"), is_disabled=False, created=Epoch(1.0)))
    await scene.proposals.add(PROPOSAL)
    return scene


async def test_a_kill_before_the_step_leaves_it_waiting_and_a_second_confirmation_publishes_it(scene: Scene) -> None:
    scene.releases.is_killed_before = True
    with pytest.raises(Killed):
        await scene.confirm()
    assert await scene.state() == ("", ProposalState.WAITING, "")
    scene.releases.is_killed_before = False
    scene.start()
    await scene.confirm()
    assert await scene.state() == ("a", ProposalState.PUBLISHED, "pia")


async def test_a_kill_after_the_step_leaves_it_published_and_served(scene: Scene) -> None:
    scene.releases.is_killed_after = True
    with pytest.raises(Killed):
        await scene.confirm()
    scene.start()
    assert await scene.state() == ("a", ProposalState.PUBLISHED, "pia")
    with pytest.raises(ProposalConflict, match="published already, by pia"):
        await scene.desk.withdraw("pub_1", PIA)


async def test_what_is_withdrawn_while_it_is_being_published_is_not_published(scene: Scene) -> None:
    loop = asyncio.get_running_loop()

    def withdraw() -> None:
        asyncio.run_coroutine_threadsafe(scene.desk.withdraw("pub_1", person("ann", "owner")), loop).result(5)

    scene.builder.before = withdraw
    with pytest.raises(ProposalConflict, match="waits no more"):
        await scene.confirm()
    assert await scene.state() == ("", ProposalState.WITHDRAWN, "ann")
    assert scene.releases.changes() == []


async def test_of_confirmations_and_withdrawals_at_one_moment_one_is_told_that_it_was_done(scene: Scene) -> None:
    steps: list[Awaitable[Any]] = []
    for _ in range(8):
        steps += [scene.confirm(), scene.desk.withdraw("pub_1", PIA)]
    results = await asyncio.gather(*steps, return_exceptions=True)
    done = [result for result in results if not isinstance(result, BaseException)]
    assert len(done) == 1
    assert {type(result) for result in results} - {type(done[0])} <= {ProposalConflict, ReleaseConflict}
    is_published = isinstance(done[0], Published)
    expected = ("a", ProposalState.PUBLISHED) if is_published else ("", ProposalState.WITHDRAWN)
    assert (await scene.state())[:2] == expected


async def test_what_could_not_be_published_waits_on(scene: Scene) -> None:
    scene.releases.keep(Revision("x"), b"bundle", Sources({"x.yaml": "agent: x\n"}, {}))
    scene.releases.activate(Change(ChangeKind.PUBLISHED, Revision("x"), Revision(""), "bob", Epoch(1.0), "", None))
    with pytest.raises(ReleaseConflict, match="since it was proposed"):
        await scene.confirm()
    assert await scene.proposals.waiting() == [PROPOSAL]


async def test_what_lint_calls_an_error_by_now_is_not_published(scene: Scene) -> None:
    scene.builder.problems = [Problem("a.yaml", 1, 1, "", "its time is over")]
    with pytest.raises(PolicyErrors):
        await scene.confirm()
    assert await scene.state() == ("", ProposalState.WAITING, "")


async def test_documents_that_are_served_already_are_a_proposal_that_is_published(scene: Scene) -> None:
    scene.releases.keep(Revision("a"), b"bundle", Sources({}, {}))
    scene.releases.activate(Change(ChangeKind.PUBLISHED, Revision("a"), Revision(""), "bob", Epoch(1.0), "", None))
    published = await scene.confirm()
    assert not published.changed
    assert await scene.state() == ("a", ProposalState.PUBLISHED, "pia")
