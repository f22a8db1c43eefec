"""The control plane's API, from the other side: what the command line asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from aegis_authz.adapters.control_connection import segment
from aegis_authz.adapters.policy_client import PolicyClient
from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationRequest, RevocationsAnswer, TargetRequest
from aegis_authz.api.approvals import (
    ApprovalAnswer,
    ApprovalDecision,
    ApprovalsAnswer,
    ApprovedAnswer,
    DecisionRequest,
    DenialRequest,
)
from aegis_authz.api.enrolment import InvitationAnswer, InvitationRequest, RegisteredAgentsAnswer
from aegis_authz.api.keys import RotatedAnswer, RotationRequest
from aegis_authz.api.limits import (
    LimitsAnswer,
    LimitsResetAnswer,
    QuarantineAnswer,
    QuarantineRequest,
    QuarantinesAnswer,
)
from aegis_authz.api.model import Request
from aegis_authz.api.notices import ChannelsAnswer, UndeliveredAnswer
from aegis_authz.api.oversight import OversightAnswer
from aegis_authz.api.people import (
    AddressRequest,
    ApiKeyRequest,
    CertificateRequest,
    CertificatesAnswer,
    ChangeLinesAnswer,
    CodeAnswer,
    LoginCodeRequest,
    NewApiKeyAnswer,
    NewPersonRequest,
    PasswordRequest,
    PeopleAnswer,
    PersonAnswer,
    PersonRequest,
    ReasonRequest,
    SessionAnswer,
    SignInLinkAnswer,
    SignInRequest,
)
from aegis_authz.api.standing_decisions import (
    DraftAnswer,
    RevocationReason,
    StandingChangeAnswer,
    StandingDecisionRequest,
    StandingDecisionsAnswer,
)
from aegis_authz.core.revocation import Revoked
from aegis_authz.core.scope import Scope


class ControlClient(PolicyClient):
    """One control plane, and what proves to it who asks.

    Every method raises ControlUnreachable or ControlRefused.
    """

    def approvals(self, state: str, limit: int, after: str) -> ApprovalsAnswer:
        """A page of approvals in a state, "" for all; `after` is that of the page before, "" for the first."""
        terms = {"limit": str(limit)} | ({"state": state} if state else {}) | ({"after": after} if after else {})
        return self._ask("GET", f"/v1/approvals?{urlencode(terms)}", ApprovalsAnswer)

    def approval(self, approval_id: str) -> ApprovalAnswer:
        """One approval."""
        return self._ask("GET", f"/v1/approvals/{segment(approval_id)}", ApprovalAnswer)

    def approve(self, approval_id: str, note: str, confirm: Mapping[str, str]) -> ApprovedAnswer:
        """Approve; the answer holds the override token, once enough people have approved."""
        body = ApprovalDecision.model_construct(note=note, confirm=dict(confirm))
        return self._ask("POST", f"/v1/approvals/{segment(approval_id)}/approve", ApprovedAnswer, body)

    def deny(self, approval_id: str, note: str) -> ApprovalAnswer:
        """Deny, for a reason."""
        body = DenialRequest.model_construct(note=note)
        return self._ask("POST", f"/v1/approvals/{segment(approval_id)}/deny", ApprovalAnswer, body)

    def cancel(self, approval_id: str, note: str) -> ApprovalAnswer:
        """Take back."""
        body = DecisionRequest.model_construct(note=note)
        return self._ask("POST", f"/v1/approvals/{segment(approval_id)}/cancel", ApprovalAnswer, body)

    def draft_standing(self, approval_id: str, effect: str, days: int, for_session: bool) -> DraftAnswer:
        """A document that allows, or refuses, calls like that one, or those of its session alone."""
        query = urlencode({"effect": effect, "days": days, "for_session": str(for_session).lower()})
        return self._ask("GET", f"/v1/approvals/{segment(approval_id)}/standing?{query}", DraftAnswer)

    def save_standing(self, approval_id: str, effect: str, document: str, message: str) -> StandingChangeAnswer:
        """Publish such a document."""
        body = StandingDecisionRequest.model_construct(document=document, message=message)
        path = f"/v1/approvals/{segment(approval_id)}/standing?{urlencode({'effect': effect})}"
        return self._ask("POST", path, StandingChangeAnswer, body)

    def standing_decisions(self) -> StandingDecisionsAnswer:
        """All standing decisions that who asks may see."""
        return self._ask("GET", "/v1/standing", StandingDecisionsAnswer)

    def revoke_standing(self, name: str, message: str) -> StandingChangeAnswer:
        """Take a standing decision back."""
        body = RevocationReason.model_construct(message=message)
        return self._ask("POST", f"/v1/standing/{segment(name)}/revoke", StandingChangeAnswer, body)

    def oversight(self, by: str, days: float) -> OversightAnswer:
        """How people decided held calls in the last so many days."""
        return self._ask("GET", f"/v1/oversight?{urlencode({'by': by, 'days': days})}", OversightAnswer)

    def channels(self) -> ChannelsAnswer:
        """How each channel does."""
        return self._ask("GET", "/v1/notices/channels", ChannelsAnswer)

    def undelivered_notices(self) -> UndeliveredAnswer:
        """The notices of held calls that reached nobody."""
        return self._ask("GET", "/v1/notices/undelivered", UndeliveredAnswer)

    def revocations(self) -> RevocationsAnswer:
        """The revoked agents, newest first."""
        return self._ask("GET", "/v1/agents/revoked", RevocationsAnswer)

    def revoke(self, scope: Scope, note: str) -> RevocationAnswer:
        """Refuse every call of the agent."""
        body = RevocationRequest.model_construct(note=note)
        return self._ask("POST", f"{_agent(scope)}/revoke", RevocationAnswer, body)

    def restore(self, scope: Scope, note: str) -> RestoredAnswer:
        """Let policy judge a revoked agent again."""
        body = RevocationRequest.model_construct(note=note)
        return self._ask("POST", f"{_agent(scope)}/restore", RestoredAnswer, body)

    def revoke_target(self, target: Revoked, note: str) -> RevocationAnswer:
        """Refuse every call it is about."""
        return self._ask("POST", "/v1/revocations", RevocationAnswer, _target(target, note))

    def restore_target(self, target: Revoked, note: str) -> RestoredAnswer:
        """Let policy judge it again."""
        return self._ask("POST", "/v1/revocations/restore", RestoredAnswer, _target(target, note))

    def quarantines(self) -> QuarantinesAnswer:
        """The quarantined agents, those that are for longest first."""
        return self._ask("GET", "/v1/agents/quarantined", QuarantinesAnswer)

    def quarantine(self, scope: Scope, seconds: float, note: str) -> QuarantineAnswer:
        """Refuse every call of the agent for a while."""
        body = QuarantineRequest.model_construct(note=note, seconds=seconds)
        return self._ask("POST", f"{_agent(scope)}/quarantine", QuarantineAnswer, body)

    def release(self, scope: Scope, note: str) -> RestoredAnswer:
        """Let policy judge a quarantined agent again."""
        body = RevocationRequest.model_construct(note=note)
        return self._ask("POST", f"{_agent(scope)}/release", RestoredAnswer, body)

    def limits_of(self, scope: Scope) -> LimitsAnswer:
        """How the limits of an agent stand."""
        return self._ask("GET", f"/v1/limits/{scope.org}/{scope.tenant}/{scope.agent}", LimitsAnswer)

    def reset_limits(self, note: str) -> LimitsResetAnswer:
        """Count nothing that was charged to limits as forgotten."""
        body = RevocationRequest.model_construct(note=note)
        return self._ask("POST", "/v1/limits/reset", LimitsResetAnswer, body)

    def rotate(self, name: str, wait: float) -> RotatedAnswer:
        """Replace a signing key; waits until every OPA trusts the next one."""
        return self._ask("POST", f"/v1/keys/{segment(name)}/rotate", RotatedAnswer, RotationRequest(), wait)

    def registered(self) -> RegisteredAgentsAnswer:
        """All registered agents."""
        return self._ask("GET", "/v1/agents", RegisteredAgentsAnswer)

    def invite(self, scope: Scope, note: str, ttl: float) -> InvitationAnswer:
        """A code that lets the agent bring its own key, once."""
        body = InvitationRequest.model_construct(note=note, ttl=ttl)
        return self._ask("POST", f"{_agent(scope)}/invite", InvitationAnswer, body)

    def sign_in(self, person_id: str, password: str) -> SessionAnswer:
        """Begin a session; what is asked after is asked in it."""
        return self._enter("/v1/session", SignInRequest.model_construct(person=person_id, password=password))

    def sign_in_by_code(self, code: str, verifier: str) -> SessionAnswer:
        """Begin a session for a code that a page gave."""
        return self._enter("/v1/session/code", LoginCodeRequest.model_construct(code=code, verifier=verifier))

    def set_password(self, code: str, person_id: str, password: str) -> SessionAnswer:
        """Set a password for a code, and begin a session."""
        body = PasswordRequest.model_construct(code=code, person=person_id, password=password)
        return self._enter("/v1/password", body)

    def sign_out(self) -> None:
        """End the session."""
        self._tell("DELETE", "/v1/session")

    def session(self) -> SessionAnswer:
        """Who asks."""
        return self._ask("GET", "/v1/session", SessionAnswer)

    def make_key(self, label: str, roles: Sequence[str], days: float) -> NewApiKeyAnswer:
        """An API key of who asks; the answer holds it."""
        body = ApiKeyRequest.model_construct(label=label, roles=list(roles), days=days)
        return self._ask("POST", "/v1/api-keys", NewApiKeyAnswer, body)

    def revoke_key(self, key_id: str) -> None:
        """End an API key."""
        self._tell("DELETE", f"/v1/api-keys/{segment(key_id)}")

    def people(self) -> PeopleAnswer:
        """The people whom who asks may see."""
        return self._ask("GET", "/v1/people", PeopleAnswer)

    def add_person(
        self, person_id: str, name: str, roles: Sequence[str], groups: Sequence[str], note: str
    ) -> CodeAnswer:
        """Add a person; the answer holds the code of their password."""
        body = NewPersonRequest.model_construct(
            id=person_id, name=name, roles=list(roles), groups=list(groups), note=note
        )
        return self._ask("POST", "/v1/people", CodeAnswer, body)

    def change_person(self, person: PersonAnswer, note: str) -> PersonAnswer:
        """Make a person what is given."""
        body = PersonRequest.model_construct(
            name=person.name,
            groups=list(person.groups),
            roles=list(person.roles),
            disabled=person.disabled,
            note=note,
        )
        return self._ask("PUT", f"/v1/people/{segment(person.id)}", PersonAnswer, body)

    def new_code(self, person_id: str, note: str) -> CodeAnswer:
        """Another code for a password."""
        body = ReasonRequest.model_construct(note=note)
        return self._ask("POST", f"/v1/people/{segment(person_id)}/code", CodeAnswer, body)

    def sign_in_link(self, person_id: str, note: str) -> SignInLinkAnswer:
        """A link by which a person signs in on a page."""
        body = ReasonRequest.model_construct(note=note)
        return self._ask("POST", f"/v1/people/{segment(person_id)}/sign-in-link", SignInLinkAnswer, body)

    def certificates_of(self, person_id: str) -> CertificatesAnswer:
        """By which client certificates a person is told."""
        return self._ask("GET", f"/v1/people/{segment(person_id)}/certificates", CertificatesAnswer)

    def set_certificate(self, person_id: str, kind: str, value: str, note: str, *, removed: bool) -> None:
        """Tell a person by client certificates of this name, or no more."""
        body = CertificateRequest.model_construct(kind=kind, value=value, note=note)
        self._tell("POST", f"/v1/people/{segment(person_id)}/certificates{'/remove' if removed else ''}", body)

    def confirm_person(self, person_id: str, note: str) -> None:
        """Say that a person is in nobody's hand but their own."""
        self._tell("POST", f"/v1/people/{segment(person_id)}/confirm", ReasonRequest.model_construct(note=note))

    def link_person(self, person_id: str, channel: str, address: str, note: str) -> None:
        """Note where a person is in a channel."""
        body = AddressRequest.model_construct(address=address, note=note)
        self._tell("PUT", f"/v1/people/{segment(person_id)}/addresses/{segment(channel)}", body)

    def changes(self, after: int, limit: int) -> ChangeLinesAnswer:
        """A page of the change log, in the order of writing."""
        return self._ask("GET", f"/v1/changes?{urlencode({'after': after, 'limit': limit})}", ChangeLinesAnswer)

    def _enter(self, path: str, body: Request) -> SessionAnswer:
        session = self._ask("POST", path, SessionAnswer, body)
        self._http.headers["x-csrf-token"] = session.csrf
        return session


def _target(target: Revoked, note: str) -> Request:
    return TargetRequest.model_construct(
        kind=target.kind.value, org=target.org, tenant=target.tenant, name=target.name, note=note
    )


def _agent(scope: Scope) -> str:
    return f"/v1/agents/{segment(scope.org)}/{segment(scope.tenant)}/{segment(scope.agent)}"
