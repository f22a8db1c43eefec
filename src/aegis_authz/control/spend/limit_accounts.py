"""How the limits of one agent stand: which there are by what is served, and what is used of them by the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis_authz.core.charge import Account, Charge
from aegis_authz.core.limit import Limit
from aegis_authz.core.scope import Scope
from aegis_authz.limits.accounts import idle_charge
from aegis_authz.ports.control_plane import LimitAccounts
from aegis_authz.ports.data_plane import Clock


@dataclass(frozen=True, slots=True)
class LimitBook:
    """The limits of agents. `limits_for` reads those of the documents served that cover an agent; it blocks."""

    store: LimitAccounts
    limits_for: Callable[[Scope], Sequence[Limit]]
    clock: Clock

    async def of(self, scope: Scope) -> list[tuple[Charge, Account]]:
        """Each limit that a call of the agent can meet, and how it stands. Raises StoreDown, ReleasesFault."""
        now = self.clock.now()
        limits = await asyncio.to_thread(self.limits_for, scope)
        charges = [charge for limit in limits if (charge := idle_charge(limit, scope, now)) is not None]
        return list(zip(charges, await self.store.accounts(scope, charges, now), strict=True))
