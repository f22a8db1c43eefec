"""Revoking agents, and taking that back."""

from __future__ import annotations

from aegis_authz.api.model import Answer, Name, Note, Request
from aegis_authz.core.identity import Revocation


class RevocationRequest(Request):
    """Who revokes or restores an agent, and why; kept in the change log."""

    by: Name
    note: Note = ""


class RevocationAnswer(Answer):
    """An agent whose calls are refused. `at` is seconds since the epoch."""

    org: str
    tenant: str
    agent: str
    by: str
    at: float

    @classmethod
    def of(cls, revocation: Revocation) -> RevocationAnswer:
        """The revocation as an answer shows it."""
        scope = revocation.scope
        return cls(org=scope.org, tenant=scope.tenant, agent=scope.agent, by=revocation.by, at=revocation.at)


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
