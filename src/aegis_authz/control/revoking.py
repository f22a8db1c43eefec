"""Revoking agents: the way to stop one at once, whatever its tokens and policies say."""

from __future__ import annotations

import logging

from aegis_authz.control.publishing import Publisher
from aegis_authz.core.identity import Revocation
from aegis_authz.core.release import ChangeKind
from aegis_authz.core.scope import Scope
from aegis_authz.ports.control_plane import Revocations
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)


class NotRevoked(Exception):
    """The agent is not revoked."""


class Revoker:
    """Revokes agents and restores them; each is a line of the change log.

    Whatever fails in between, the agent is left on the safe side: revoked.
    """

    def __init__(self, revocations: Revocations, publisher: Publisher, clock: Clock) -> None:
        self._revocations = revocations
        self._publisher = publisher
        self._clock = clock

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        return await self._revocations.list()

    async def revoke(self, scope: Scope, by: str, note: str) -> Revocation:
        """Refuse every call of the agent from now on.

        Raises StoreDown, and ReleasesFault when it could not be logged.
        """
        now = self._clock.now()
        await self._revocations.revoke(scope, by, now)  # first, for a full disk must not keep an agent going
        _log.warning("%s revoked by %r: %r", scope, by, note)
        await self._publisher.note(ChangeKind.REVOKED, scope, by, note)
        return Revocation(scope, by, now)

    async def restore(self, scope: Scope, by: str, note: str) -> float:
        """Let policy judge the agent again; returns when.

        Raises NotRevoked, ReleasesFault (it stays revoked), StoreDown.
        """
        if all(revocation.scope != scope for revocation in await self._revocations.list()):
            raise NotRevoked(f"{scope} is not revoked")
        # Logged first: an agent that runs again without a line about it would be worse than the reverse.
        await self._publisher.note(ChangeKind.RESTORED, scope, by, note)
        if not await self._revocations.restore(scope):
            raise NotRevoked(f"{scope} was restored by somebody else meanwhile")
        _log.warning("%s restored by %r: %r", scope, by, note)
        return self._clock.now()
