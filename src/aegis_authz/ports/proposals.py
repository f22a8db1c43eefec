"""What keeps publications that wait for a second person."""

from __future__ import annotations

from typing import Protocol

from aegis_authz.core.proposal import Proposal, ProposalState


class Proposals(Protocol):
    """Proposals of all control planes on one database, those that were decided included."""

    async def add(self, proposal: Proposal) -> None:
        """Keep a new one. Raises DatabaseFault."""
        ...

    async def get(self, proposal_id: str) -> Proposal:
        """The proposal of that id. Raises ProposalUnknown, DatabaseFault."""
        ...

    async def waiting(self) -> list[Proposal]:
        """All that wait, the newest first. Raises DatabaseFault."""
        ...

    async def decide(self, proposal_id: str, state: ProposalState, by: str) -> bool:
        """Keep what became of one that waits; returns whether it did wait. Raises DatabaseFault.

        What is published is so by `Releases.activate_proposal`, unless its documents are served already.
        """
        ...
