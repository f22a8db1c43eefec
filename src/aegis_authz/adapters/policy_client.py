"""What is asked of a control plane about publications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_authz.adapters.control_connection import ControlConnection, segment
from aegis_authz.api.model import Request
from aegis_authz.api.policies import (
    PublishRequest,
    ReleaseAnswer,
    RevisionsAnswer,
    RollbackRequest,
    SourcesAnswer,
    StatusAnswer,
)
from aegis_authz.api.proposals import (
    ConfirmationRequest,
    ProposalAnswer,
    ProposalDocumentsAnswer,
    ProposalsAnswer,
    PublishedProposalAnswer,
    WithdrawalRequest,
)

_TRIALS = 330.0
"""How many seconds more a control plane may take that runs policy tests and decides recorded calls again: for others
first, and then for this publication.
"""


class PolicyClient(ControlConnection):
    """Publications of one control plane. Every method raises ControlUnreachable or ControlRefused."""

    def publish(
        self,
        policies: Mapping[str, str],
        tools: Mapping[str, str],
        tests: Mapping[str, str],
        message: str,
        wait: float,
        accept: str = "",
    ) -> ReleaseAnswer | ProposalAnswer:
        """Publish documents, whose policy tests must pass, and wait at most `wait` seconds for OPA to activate them; or
        propose them, where another person must confirm it.
        """
        # Not checked here: the control plane says what is wrong with them.
        body = PublishRequest.model_construct(
            policies=dict(policies), tools=dict(tools), tests=dict(tests), message=message, **_acceptance(accept)
        )
        return self._publish("/v1/policies", body, wait)

    def rollback(self, revision: str, message: str, wait: float, accept: str = "") -> ReleaseAnswer | ProposalAnswer:
        """Serve the documents of an earlier revision again, and wait or propose as `publish` does."""
        body = RollbackRequest.model_construct(revision=revision, message=message, **_acceptance(accept))
        return self._publish("/v1/rollback", body, wait)

    def proposals(self) -> ProposalsAnswer:
        """The publications that wait for a second person."""
        return self._ask("GET", "/v1/proposals", ProposalsAnswer)

    def proposal(self, proposal_id: str) -> ProposalDocumentsAnswer:
        """A proposal with all its documents."""
        return self._ask("GET", f"/v1/proposals/{segment(proposal_id)}", ProposalDocumentsAnswer)

    def confirm_proposal(self, proposal_id: str, digest: str, note: str, accept: str = "") -> PublishedProposalAnswer:
        """Publish what another person proposed."""
        body = ConfirmationRequest.model_construct(digest=digest, note=note, **_acceptance(accept))
        return self._ask(
            "POST", f"/v1/proposals/{segment(proposal_id)}/confirm", PublishedProposalAnswer, body, patience=_TRIALS
        )

    def withdraw_proposal(self, proposal_id: str, note: str) -> ProposalAnswer:
        """Have a proposal wait no longer."""
        body = WithdrawalRequest.model_construct(note=note)
        return self._ask("POST", f"/v1/proposals/{segment(proposal_id)}/withdraw", ProposalAnswer, body)

    def status(self) -> StatusAnswer:
        """What is served, and what each OPA runs."""
        return self._ask("GET", "/v1/status", StatusAnswer)

    def revisions(self) -> RevisionsAnswer:
        """The change log, newest first."""
        return self._ask("GET", "/v1/revisions", RevisionsAnswer)

    def sources(self, revision: str) -> SourcesAnswer:
        """The documents of a revision."""
        return self._ask("GET", f"/v1/revisions/{segment(revision)}", SourcesAnswer)

    def _publish(self, path: str, body: Request, wait: float) -> ReleaseAnswer | ProposalAnswer:
        answer = self._send("POST", path, body, wait, _TRIALS)
        if answer.status_code == 202:
            return self._read(answer, ProposalAnswer)
        if answer.status_code == 200:
            return self._read(answer, ReleaseAnswer)
        raise self._refusal(answer)


def _acceptance(accept: str) -> dict[str, Any]:
    """The member of a reason to accept; none without, for a control plane of before knows no such member."""
    return {"accept": accept} if accept else {}
