"""Quarantines of agents, and the reset of limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aegis_authz.api.agents import RevocationRequest
from aegis_authz.api.model import Answer
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.charge import Account, Charge
from aegis_authz.core.limit import Budget
from aegis_authz.core.record import ChargeRecord


class QuarantineRequest(RevocationRequest):
    """Why an agent is quarantined, and for how many seconds."""

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


class LimitAnswer(Answer):
    """How a limit stands: amounts are micro-units of `currency`, or where that is "", numbers.

    `holder` is whose account it is. `resets_at` is when all that is used now is over (epoch seconds), 0 where no time
    tells.
    """

    id: str
    name: str
    policy: str
    holder: str
    kind: str
    currency: str
    used: int
    left: int
    of: int
    resets_at: float
    on_exceed: str

    @classmethod
    def of_record(cls, charge: ChargeRecord) -> LimitAnswer:
        """How the limit stood after a call, as its record tells."""
        members = charge._asdict()
        return cls(id=members.pop("limit"), **{name: members[name] for name in cls.model_fields if name != "id"})

    @classmethod
    def of_charge(cls, charge: Charge, account: Account) -> LimitAnswer:
        """The account as an answer shows it."""
        limit = charge.limit
        return cls(
            id=limit.id,
            name=limit.name,
            policy=limit.policy,
            holder=charge.holder,
            kind=limit.kind,
            currency=limit.terms.currency if isinstance(limit.terms, Budget) else "",
            used=account.used,
            left=account.left,
            of=account.of,
            resets_at=account.resets_at / 1000,
            on_exceed=limit.on_exceed.value,
        )


class LimitsAnswer(Answer):
    """How the limits of one agent stand."""

    limits: tuple[LimitAnswer, ...]


class LimitsResetAnswer(Answer):
    """Who said, and when (seconds since 1970), that nothing that was charged counts as forgotten."""

    by: str
    at: float
