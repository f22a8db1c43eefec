"""Revoking agents, and taking that back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aegis_authz.api.model import Answer, Name, Note, Request
from aegis_authz.core.revocation import Revocation, RevokedKind


class RevocationRequest(Request):
    """Why an agent is revoked or restored; kept in the change log beside who asked."""

    note: Note = ""


class TargetRequest(RevocationRequest):
    """What is to be revoked or restored within a tenant: `name` is an agent's, a key's thumbprint or a token's id."""

    kind: Literal["agent", "tenant", "key", "token"]
    org: Name
    tenant: Name
    name: Annotated[str, Field(max_length=256)] = ""


class RevocationAnswer(Answer):
    """What is refused: an agent, or by `kind` a tenant, a key or a token, which `name` names then.

    `agent` is "" where it is not about one agent; `at` is seconds since the epoch.
    """

    org: str
    tenant: str
    agent: str
    by: str
    at: float
    kind: str = "agent"
    name: str = ""

    @classmethod
    def of(cls, revocation: Revocation) -> RevocationAnswer:
        """The revocation as an answer shows it."""
        target = revocation.target
        is_agent = target.kind is RevokedKind.AGENT
        return cls(
            org=target.org,
            tenant=target.tenant,
            agent=target.name if is_agent else "",
            by=revocation.by,
            at=revocation.at,
            kind=target.kind.value,
            name="" if is_agent else target.name,
        )


class RevocationsAnswer(Answer):
    """All revoked agents, newest first."""

    revocations: tuple[RevocationAnswer, ...]


class RestoredAnswer(Answer):
    """An agent that was revoked and is judged by policy again; `at` is when, in seconds since the epoch."""

    org: str
    tenant: str
    agent: str
    by: str
    at: float
