"""Replacing signing keys in use: the next one is published, used once every OPA has it, the former dropped last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.control.publishing import Publisher
from aegis_authz.control.status_board import StatusBoard
from aegis_authz.core.release import ReleasesFault, RevisionUnknown
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import KeyRing, KeyRingFault
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)

_TICK = Seconds(15.0)
_SETTLE = Seconds(2.0)
"""How long after OPA has a revision until the last worker has read it."""


class NotRotated(Exception):
    """The next key is published and not used yet; the message says why. Asking again goes on from there."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The key that signs now, by its thumbprint, and until when the one before verifies."""

    key_id: str
    former_ends: Epoch


class Rotator:
    """Rotates keys by name; `lives` says how long what each has signed may live, seconds."""

    def __init__(
        self,
        rings: Mapping[str, KeyRing],
        lives: Mapping[str, Seconds],
        publisher: Publisher,
        board: StatusBoard,
        clock: Clock,
    ) -> None:
        self.rings = rings
        self._lives = lives
        self._publisher = publisher
        self._board = board
        self._clock = clock
        self._change = asyncio.Lock()

    async def rotate(self, name: str, by: str, wait: float) -> Rotated:
        """Sign with a new key; waits at most `wait` seconds until every OPA trusts it.

        Raises KeyError for a key of another name, NotRotated, KeyRingFault, PolicyErrors, ReleasesFault.
        """
        ring = self.rings[name]
        async with self._change:
            await asyncio.to_thread(ring.prepare)
            published = await self._publisher.rebuild(by, f"the next {name} key is trusted")
            activation = await self._board.activation(published.revision, wait)
            if not activation.active_on or activation.waiting_for or activation.refused:
                raise NotRotated(
                    "the next key is published, and not every OPA has it yet; nothing signs with it. Ask again"
                )
            await asyncio.sleep(_SETTLE)
            ends = Epoch(self._clock.now() + self._lives[name])
            await asyncio.to_thread(ring.switch, ends)
            key_id = thumbprint(ring.signing_key.public_key().public_bytes_raw())
        _log.warning("the %s key is %s now, by %r; the one before verifies until %.0f", name, key_id, by, ends)
        return Rotated(key_id, ends)

    async def watch(self) -> None:
        """Drop former keys whose time is over, until cancelled."""
        while True:
            try:
                await self.drop()
            except (KeyRingFault, PolicyErrors, ReleasesFault, RevisionUnknown) as fault:
                _log.error("a former key cannot be dropped: %s", fault)
            await asyncio.sleep(_TICK)

    async def drop(self) -> None:
        """Drop former keys whose time is over. Raises KeyRingFault, PolicyErrors, ReleasesFault."""
        now = self._clock.now()
        outlived = [name for name, ring in self.rings.items() if ring.is_outlived(now)]
        if not outlived:
            return
        async with self._change:
            for name in outlived:
                await asyncio.to_thread(self.rings[name].drop, now)
            await self._publisher.rebuild("control", f"former keys are dropped: {', '.join(outlived)}")
