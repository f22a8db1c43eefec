"""Publications that wait for a second person."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aegis_authz.api.model import Answer, Note, Request
from aegis_authz.core.proposal import Proposal, ProposalState
from aegis_authz.core.release import ChangeKind, DocumentChanges, Sources


class ConfirmationRequest(Request):
    """The digest of what was looked at; `accept` is that of a publication, and the second person's own."""

    digest: Annotated[str, Field(min_length=1, max_length=128)]
    note: Note = ""
    accept: Note = ""


class WithdrawalRequest(Request):
    """Why a proposal is withdrawn."""

    note: Note = ""


class FilesAnswer(Answer):
    """Files that are added, changed and removed, in order of path."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def of(cls, changes: DocumentChanges) -> FilesAnswer:
        """The changes as an answer shows them."""
        return cls(added=changes.added, changed=changes.changed, removed=changes.removed)


class ProposalAnswer(Answer):
    """A proposal: who wants which files to change, since when (seconds since the epoch), and why.

    `digest` names exactly its documents in place of those of `base`; whoever confirms says it. `decided_by` is "" while
    it waits.
    """

    id: str
    digest: str
    base: str
    kind: ChangeKind
    by: str
    time: float
    message: str
    state: ProposalState
    decided_by: str
    policies: FilesAnswer
    tools: FilesAnswer

    @classmethod
    def of(cls, proposal: Proposal, before: Sources) -> ProposalAnswer:
        """The proposal as an answer shows it."""
        after = proposal.sources
        return cls(
            id=proposal.id,
            digest=proposal.digest,
            base=proposal.base,
            kind=proposal.kind,
            by=proposal.by,
            time=proposal.at,
            message=proposal.message,
            state=proposal.state,
            decided_by=proposal.decided_by,
            policies=FilesAnswer.of(DocumentChanges.between(before.policies, after.policies)),
            tools=FilesAnswer.of(DocumentChanges.between(before.tools, after.tools)),
        )


class ProposalsAnswer(Answer):
    """The proposals that wait, the newest first."""

    proposals: tuple[ProposalAnswer, ...]


class TextsAnswer(Answer):
    """All documents of policies and tools, by file name."""

    policies: dict[str, str]
    tools: dict[str, str]


class ProposalDocumentsAnswer(Answer):
    """A proposal, all documents in whose place it would be, all of its own, and the policy tests that came with it."""

    proposal: ProposalAnswer
    before: TextsAnswer
    after: TextsAnswer
    tests: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def whole(cls, proposal: Proposal, before: Sources) -> ProposalDocumentsAnswer:
        """The proposal with all its texts."""
        own = proposal.sources
        return cls(
            proposal=ProposalAnswer.of(proposal, before),
            before=TextsAnswer(policies=dict(before.policies), tools=dict(before.tools)),
            after=TextsAnswer(policies=dict(own.policies), tools=dict(own.tools)),
            tests=dict(proposal.tests),
        )


class PublishedProposalAnswer(Answer):
    """The revision that is served by now, and the one before."""

    revision: str
    previous: str
