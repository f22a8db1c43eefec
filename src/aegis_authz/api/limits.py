"""Quarantines of agents, and the reset of limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aegis_authz.api.agents import RevocationRequest
from aegis_authz.api.model import Answer
from aegis_authz.core.breaker import Quarantine


class QuarantineRequest(RevocationRequest):
    """Who quarantines an agent, why, and for how many seconds."""

    seconds: Annotated[float, Field(ge=1, le=400 * 86_400)] = 900


class QuarantineAnswer(Answer):
    """An agent whose calls are refused until `until`; `by` is the person or the breaker. Times are epoch seconds."""

    org: str
    tenant: str
    agent: str
    by: str
    since: float
    until: float

    @classmethod
    def of(cls, quarantine: Quarantine) -> QuarantineAnswer:
        """The quarantine as an answer shows it."""
        scope = quarantine.scope
        return cls(
            org=scope.org,
            tenant=scope.tenant,
            agent=scope.agent,
            by=quarantine.by,
            since=quarantine.since,
            until=quarantine.until,
        )


class QuarantinesAnswer(Answer):
    """All quarantined agents, those that are for longest first."""

    quarantines: tuple[QuarantineAnswer, ...]


class LimitsResetAnswer(Answer):
    """Who said, and when (seconds since 1970), that nothing that was charged counts as forgotten."""

    by: str
    at: float
