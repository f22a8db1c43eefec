"""The memory twin of proposals."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.proposal import Proposal, ProposalState, ProposalUnknown
from aegis_authz.testing.warning import warn_outside_tests


class MemoryProposals:
    """`ports.Proposals` that forgets with the process."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._proposals: dict[str, Proposal] = {}

    async def add(self, proposal: Proposal) -> None:
        """Keep a new one."""
        self._proposals[proposal.id] = proposal

    async def get(self, proposal_id: str) -> Proposal:
        """The proposal of that id."""
        if proposal_id not in self._proposals:
            raise ProposalUnknown(proposal_id)
        return self._proposals[proposal_id]

    async def waiting(self) -> list[Proposal]:
        """All that wait, the newest first."""
        waiting = [entry for entry in self._proposals.values() if entry.state is ProposalState.WAITING]
        return sorted(waiting, key=lambda entry: (-entry.at, entry.id))

    def publish(self, proposal_id: str, by: str) -> bool:
        """Have one that waits published; returns whether it did wait."""
        return self._decide(proposal_id, ProposalState.PUBLISHED, by)

    async def decide(self, proposal_id: str, state: ProposalState, by: str) -> bool:
        """Keep what became of one that waits; returns whether it did wait."""
        return self._decide(proposal_id, state, by)

    def _decide(self, proposal_id: str, state: ProposalState, by: str) -> bool:
        proposal = self._proposals.get(proposal_id)
        if proposal is None or proposal.state is not ProposalState.WAITING:
            return False
        self._proposals[proposal_id] = replace(proposal, state=state, decided_by=by)
        return True
