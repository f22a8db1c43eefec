"""Publications that wait for a second person, by command. All raise Unable and Rejected."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.proposals import (
    ProposalAnswer,
    ProposalDocumentsAnswer,
    ProposalsAnswer,
    PublishedProposalAnswer,
)
from aegis_authz.commands.control import control_plane


def proposals(state: Path) -> ProposalsAnswer:
    """All that wait."""
    with control_plane(state) as control:
        return control.proposals()


def proposal(state: Path, proposal_id: str) -> ProposalDocumentsAnswer:
    """One with all its documents."""
    with control_plane(state) as control:
        return control.proposal(proposal_id)


def confirm(state: Path, proposal_id: str, digest: str, note: str, accept: str = "") -> PublishedProposalAnswer:
    """Publish what another person proposed."""
    with control_plane(state) as control:
        return control.confirm_proposal(proposal_id, digest, note, accept)


def withdraw(state: Path, proposal_id: str, note: str) -> ProposalAnswer:
    """Have one wait no longer."""
    with control_plane(state) as control:
        return control.withdraw_proposal(proposal_id, note)
