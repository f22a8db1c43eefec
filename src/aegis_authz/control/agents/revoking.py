"""Revoking agents, tenants, keys and tokens: the way to stop one at once, whatever its tokens and policies say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.release import ChangeKind, ReleaseConflict, ReleasesFault, RevisionUnknown
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Monotonic, Seconds
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.commits import Commits
from aegis_authz.ports.control_plane import RevocationList, RevocationListFault, Revocations
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.key_rings import KeyRingFault

_log = logging.getLogger(__name__)

_TICK = Seconds(1.0)
_PAUSE = Seconds(30.0)
"""How long after a publication that failed the next is tried."""
_LONGEST_TOKEN = Seconds(86_400.0)
"""How long a revoked token is remembered: far longer than any lives."""


class NotRevoked(Exception):
    """It is not revoked."""


class Revoker:
    """Revokes and restores; each is a line of the change log.

    The list on disk outlives Redis: whatever Redis has forgotten is told to it again within a second. Whatever fails
    in between, what was to be stopped is left on the safe side: revoked.
    """

    def __init__(self, revocations: Revocations, revoked: RevocationList, publisher: Publisher, clock: Clock) -> None:
        self._revocations = revocations
        self._list = revoked
        self._publisher = publisher
        self._clock = clock
        self._change = asyncio.Lock()
        self._published = self._marks()  # a start publishes the list as it is
        self._next_try = Monotonic(0.0)
        self._is_behind = True  # what was revoked last may have been told to nobody before we ended
        self._is_apart = False

    @property
    def is_apart(self) -> bool:
        """Whether Redis was away when this began, and has not answered since."""
        return self._is_apart

    @property
    def remembered(self) -> list[Revocation]:
        """All revocations as they are kept on disk, newest first; asks nobody, so that Redis may be away."""
        return sorted(self._list.current, key=lambda entry: -entry.at)

    async def begin(self) -> None:
        """Tell Redis what is revoked; where it is away, say in the log what to do about it."""
        try:
            await self.remind()
        except StoreDown as fault:
            self._is_apart = True
            _log.error(
                "Redis does not answer, and the control plane is not ready until it does: start it, or mend `redis` in "
                "the settings (%s)",
                fault,
            )

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        return await self._revocations.list()

    def is_revoked(self, marks: Sequence[str]) -> bool:
        """Whether one of these marks is on the list; asks nobody."""
        return not self._marks().isdisjoint(marks)

    async def revoke(self, target: Revoked, by: str, note: str) -> Revocation:
        """Refuse every call of it from now on.

        Raises StoreDown when Redis could not be told (it will be, once it is there), and RevocationListFault or
        ReleasesFault when it could not be kept or logged.
        """
        revocation = Revocation(target, by, self._clock.now())
        down: StoreDown | None = None
        async with self._change:
            try:
                await self._revocations.revoke(revocation)  # first, for a full disk must not keep an agent going
            except StoreDown as fault:
                down, self._is_behind = fault, True
            _log.warning("%s revoked by %r: %r", target, by, note)
            await asyncio.shield(asyncio.to_thread(self._list.add, revocation))
            over = [entry.target for entry in self._list.current if self._is_over(entry)]
            if over:
                await asyncio.shield(asyncio.to_thread(self._list.remove, over))
        await self._publisher.note(ChangeKind.REVOKED, _agent(target), by, _message(target, note))
        if down is not None:
            raise down
        return revocation

    async def restore(self, target: Revoked, by: str, note: str) -> float:
        """Let policy judge it again; returns when.

        Raises NotRevoked, ReleasesFault and RevocationListFault (it stays revoked), StoreDown.
        """
        if all(revocation.target != target for revocation in await self._revocations.list()):
            raise NotRevoked(f"{target} is not revoked")
        # Logged first: an agent that runs again without a line about it would be worse than the reverse.
        await self._publisher.note(ChangeKind.RESTORED, _agent(target), by, _message(target, note))
        async with self._change:
            await asyncio.shield(asyncio.to_thread(self._list.remove, [target]))
            if not await self._revocations.restore(target):
                raise NotRevoked(f"{target} was restored by somebody else meanwhile")
        _log.warning("%s restored by %r: %r", target, by, note)
        return self._clock.now()

    async def watch(self, commits: Commits) -> None:
        """Tell Redis again whatever it has forgotten, and publish what is revoked, within a second; until cancelled."""
        read: int | None = None
        while True:
            number = commits.number
            try:
                if number != read:
                    await asyncio.to_thread(self._list.refresh)  # other control planes revoke, too
                    read = number
                await self.remind()
                if self._is_apart:
                    self._is_apart = False
                    _log.info("Redis answers")
            except (StoreDown, RevocationListFault) as fault:
                _log.warning("whether revocations are remembered cannot be seen: %s", fault)
            await self.follow()
            await commits.after(number, _TICK)

    async def follow(self) -> None:
        """Have the bundle say what the list says: then it holds on every worker, whatever becomes of us and of Redis.

        All changes since the last time are one revision. A fault is logged and tried again after a while: Redis refuses
        all the same, and every publication carries the list.
        """
        marks, now = self._marks(), self._clock.monotonic()
        if marks == self._published or now < self._next_try:
            return
        try:
            await self._publisher.rebuild("control", f"what is revoked has changed: {len(marks)} in all")
        except (KeyRingFault, PolicyErrors, ReleaseConflict, ReleasesFault, RevisionUnknown) as fault:
            _log.error("what is revoked cannot be published and holds by Redis alone: %s", fault)
            self._next_try = Monotonic(now + _PAUSE)
            return
        self._published = marks

    def _marks(self) -> frozenset[str]:
        return frozenset(entry.target.mark for entry in self._list.current)

    async def remind(self) -> None:
        """Tell Redis again what it has forgotten, or was not told, if that may be. Raises StoreDown."""
        if await self._revocations.is_whole() and not self._is_behind:
            return
        async with self._change:
            remembered = {entry.target for entry in await self._revocations.list()}
            lost = [entry for entry in self._list.current if entry.target not in remembered]
            for entry in lost:
                await self._revocations.revoke(entry)
            await self._revocations.declare_whole()
            self._is_behind = False
        if lost:
            _log.warning("%d revocations were told to Redis again, which did not know them", len(lost))

    def _is_over(self, entry: Revocation) -> bool:
        is_token = entry.target.kind is RevokedKind.TOKEN
        return is_token and entry.at + _LONGEST_TOKEN < self._clock.now()


def _agent(target: Revoked) -> Scope:
    # the change log names an agent; of all else the message says what it was
    return Scope(target.org, target.tenant, target.name if target.kind is RevokedKind.AGENT else target.kind.value)


def _message(target: Revoked, note: str) -> str:
    return note if target.kind is RevokedKind.AGENT else f"{target}: {note}".removesuffix(": ")
