"""`ports.proposals` in SQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, insert, select, update

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import PROPOSALS
from aegis_authz.core.proposal import Proposal, ProposalState, ProposalUnknown
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.core.units import Epoch, Revision


class SqlProposals:
    """The table proposals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, proposal: Proposal) -> None:
        """Keep a new one. Raises DatabaseFault."""
        documents = {"policies": dict(proposal.sources.policies), "tools": dict(proposal.sources.tools)}
        async with self._database.transaction() as connection:
            await connection.execute(
                insert(PROPOSALS).values(
                    id=proposal.id,
                    base=proposal.base,
                    documents=json.dumps(documents),
                    kind=proposal.kind.value,
                    person=proposal.by,
                    at=proposal.at,
                    reason=proposal.message,
                    state=proposal.state.value,
                    decided_by=proposal.decided_by,
                    tests=json.dumps(dict(proposal.tests)) if proposal.tests else None,
                )
            )

    async def get(self, proposal_id: str) -> Proposal:
        """The proposal of that id. Raises ProposalUnknown, DatabaseFault."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(PROPOSALS).where(PROPOSALS.c.id == proposal_id))).first()
        if row is None:
            raise ProposalUnknown(proposal_id)
        return _proposal(row)

    async def waiting(self) -> list[Proposal]:
        """All that wait, the newest first. Raises DatabaseFault."""
        column = PROPOSALS.c
        is_waiting = column.state == ProposalState.WAITING.value
        rows = select(PROPOSALS).where(is_waiting).order_by(column.at.desc(), column.id)
        async with self._database.reading() as connection:
            return [_proposal(row) for row in await connection.execute(rows)]

    async def decide(self, proposal_id: str, state: ProposalState, by: str) -> bool:
        """Keep what became of one that waits; returns whether it did wait. Raises DatabaseFault."""
        is_waiting = (PROPOSALS.c.id == proposal_id) & (PROPOSALS.c.state == ProposalState.WAITING.value)
        decided = update(PROPOSALS).where(is_waiting).values(state=state.value, decided_by=by)
        async with self._database.transaction() as connection:
            return (await connection.execute(decided)).rowcount == 1


def _proposal(row: Row[Any]) -> Proposal:
    documents = json.loads(row.documents)
    return Proposal(
        id=row.id,
        base=Revision(row.base),
        sources=Sources(documents["policies"], documents["tools"]),
        kind=ChangeKind(row.kind),
        by=row.person,
        at=Epoch(row.at),
        message=row.reason,
        state=ProposalState(row.state),
        decided_by=row.decided_by,
        tests={} if row.tests is None else json.loads(row.tests),
    )
