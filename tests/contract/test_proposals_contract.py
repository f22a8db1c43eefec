"""What keeps publications that wait for a second person: the memory twin, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.proposals import SqlProposals
from aegis_authz.core.proposal import Proposal, ProposalState, ProposalUnknown
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.core.units import Epoch, Revision
from aegis_authz.ports.proposals import Proposals
from aegis_authz.testing.proposals import MemoryProposals
from tests.support.real_postgres import database_url

SOURCES = Sources({"a.yaml": "agent: \u00e4\n"}, {"t.yaml": "tool: t\n"})
PROPOSAL = Proposal(
    id="pub_1",
    base=Revision("r1"),
    sources=SOURCES,
    kind=ChangeKind.PUBLISHED,
    by="ann",
    at=Epoch(1000.25),
    message="more",
    state=ProposalState.WAITING,
    decided_by="",
    tests={"a_test.yaml": "tests: [\u00e4]\n"},
)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def proposals(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proposals]:
    if request.param == "memory":
        yield MemoryProposals(for_tests=True)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield SqlProposals(database)
    await database.close()


async def test_a_proposal_is_read_as_it_was_kept_and_the_newest_first(proposals: Proposals) -> None:
    newer = replace(PROPOSAL, id="pub_2", at=Epoch(2000.0), tests={})
    for proposal in (PROPOSAL, newer):
        await proposals.add(proposal)
    assert await proposals.get("pub_1") == PROPOSAL
    assert (await proposals.get("pub_1")).digest == PROPOSAL.digest
    assert await proposals.waiting() == [newer, PROPOSAL]
    with pytest.raises(ProposalUnknown):
        await proposals.get("pub_3")


async def test_a_proposal_is_decided_once(proposals: Proposals) -> None:
    await proposals.add(PROPOSAL)
    ways = (ProposalState.PUBLISHED, ProposalState.WITHDRAWN)
    results = await asyncio.gather(*(proposals.decide("pub_1", way, "bob") for way in ways * 4))
    assert sorted(results)[-2:] == [False, True]
    assert (await proposals.get("pub_1")).decided_by == "bob"
    assert await proposals.waiting() == []


def test_a_digest_is_of_these_documents_in_place_of_that_base() -> None:
    others = (
        replace(PROPOSAL, base=Revision("r2")),
        replace(PROPOSAL, sources=Sources(SOURCES.policies, {})),
        replace(PROPOSAL, sources=Sources({}, SOURCES.policies)),
        replace(PROPOSAL, kind=ChangeKind.ROLLED_BACK),
        replace(PROPOSAL, tests={}),
    )
    assert len({PROPOSAL.digest, *(other.digest for other in others)}) == 6
    assert replace(PROPOSAL, id="pub_2", message="x").digest == PROPOSAL.digest
