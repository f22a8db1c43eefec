"""One proposal is decided once, also while it is being published."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.proposal import Proposal, ProposalConflict, ProposalState
from aegis_authz.core.release import ChangeKind, ReleaseConflict, Sources
from aegis_authz.core.units import Epoch, Revision
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.proposals import MemoryProposals
from tests.support.people import person

PROPOSAL = Proposal(
    id="pub_1",
    base=Revision(""),
    sources=Sources({"a.yaml": "agent: a\n"}, {}),
    kind=ChangeKind.PUBLISHED,
    by="ann",
    at=Epoch(1000.0),
    message="",
    state=ProposalState.WAITING,
    decided_by="",
)


class ScriptedPublisher:
    """Publishes nothing: does what the test says at the moment at which it is asked to."""

    def __init__(self) -> None:
        self.desk: ProposalDesk | None = None
        self.fault: Exception | None = None
        self.withdrawal: ProposalConflict | None = None

    async def publish_confirmed(self, proposal: Proposal, base: Sources, by: str) -> Any:
        if self.fault is not None:
            raise self.fault
        assert self.desk is not None
        with pytest.raises(ProposalConflict) as conflict:
            await self.desk.withdraw(proposal.id, person("ann", "owner"))
        self.withdrawal = conflict.value
        return "published"


@pytest.fixture
async def proposals() -> MemoryProposals:
    kept = MemoryProposals(for_tests=True)
    await kept.add(PROPOSAL)
    return kept


@pytest.fixture
async def publisher() -> ScriptedPublisher:
    return ScriptedPublisher()


@pytest.fixture
async def desk(proposals: MemoryProposals, publisher: ScriptedPublisher) -> ProposalDesk:
    people = MemoryPeople(for_tests=True)
    await people.add(Account(person("ann", "owner"), is_disabled=False, created=Epoch(1.0)))
    publisher.desk = ProposalDesk(proposals, cast(Publisher, publisher), people)
    return publisher.desk


async def test_nobody_withdraws_what_is_being_published(
    desk: ProposalDesk, proposals: MemoryProposals, publisher: ScriptedPublisher
) -> None:
    await desk.confirm("pub_1", PROPOSAL.digest, person("pia", "policy_admin"))
    assert str(publisher.withdrawal) == "the proposal is published already, by pia"
    assert (await proposals.get("pub_1")).state is ProposalState.PUBLISHED


async def test_what_could_not_be_published_waits_again(
    desk: ProposalDesk, proposals: MemoryProposals, publisher: ScriptedPublisher
) -> None:
    publisher.fault = ReleaseConflict("somebody else published meanwhile")
    with pytest.raises(ReleaseConflict):
        await desk.confirm("pub_1", PROPOSAL.digest, person("pia", "policy_admin"))
    assert await proposals.waiting() == [PROPOSAL]
