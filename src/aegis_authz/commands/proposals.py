"""Publications that wait for a second person, by command. All raise Unable and Rejected."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

from aegis_authz.api.proposals import (
    ProposalAnswer,
    ProposalDocumentsAnswer,
    ProposalsAnswer,
    PublishedProposalAnswer,
)
from aegis_authz.commands.control import control_plane
from aegis_authz.policy.source.problems import printable


def proposals(state: Path) -> ProposalsAnswer:
    """All that wait."""
    with control_plane(state) as control:
        return control.proposals()


def proposal(state: Path, proposal_id: str) -> ProposalDocumentsAnswer:
    """One with all its documents."""
    with control_plane(state) as control:
        return control.proposal(proposal_id)


def confirm(state: Path, proposal_id: str, digest: str, note: str) -> PublishedProposalAnswer:
    """Publish what another person proposed."""
    with control_plane(state) as control:
        return control.confirm_proposal(proposal_id, digest, note)


def withdraw(state: Path, proposal_id: str, note: str) -> ProposalAnswer:
    """Have one wait no longer."""
    with control_plane(state) as control:
        return control.withdraw_proposal(proposal_id, note)


def document_difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What changes in files of documents, as lines of a unified diff."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        texts = (before.get(path, ""), after.get(path, ""))
        if texts[0] == texts[1] and (path in before) == (path in after):
            continue
        names = (path if path in before else "/dev/null", path if path in after else "/dev/null")
        former, own = ([printable(line) for line in text.splitlines()] for text in texts)
        lines += unified_diff(former, own, printable(names[0]), printable(names[1]), lineterm="")
    return lines
