"""Replacing signing keys in use: the next one is published, used once every OPA has it, the former dropped last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.control.keys.distribution import Distribution
from aegis_authz.core.release import ReleaseConflict, ReleasesFault, RevisionUnknown
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.key_rings import KeyRingFault, Rotatable

_log = logging.getLogger(__name__)

_TICK = Seconds(15.0)
_SCHEDULED_WAIT = 30.0
_RETRY = Seconds(300.0)
"""How long after a rotation on schedule failed it is tried again."""
_NEVER = Epoch(float("inf"))
SCHEDULE = "schedule"
"""Who rotates on schedule, in the change log."""
_FAULTS = (KeyRingFault, PolicyErrors, ReleasesFault, RevisionUnknown, ReleaseConflict)


class NotRotated(Exception):
    """The next key is published and not used yet; the message says why. Asking again goes on from there."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The key that signs now, by its thumbprint, and until when the one before verifies (None: for good)."""

    key_id: str
    former_ends: Epoch | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """How the keys of a ring are replaced.

    What each has signed is believed for `life` at most,
    None for good. `every` is after how long the key that signs is replaced by
    itself, None for never.
    """

    ring: Rotatable
    distribution: Distribution
    life: Seconds | None
    every: Seconds | None


class Rotator:
    """Rotates keys by name, when asked and on schedule."""

    def __init__(self, rotations: Mapping[str, Rotation], clock: Clock) -> None:
        self.rotations = rotations
        self._clock = clock
        self._change = asyncio.Lock()
        self._not_before: dict[str, Epoch] = {}

    async def rotate(self, name: str, by: str, wait: float) -> Rotated:
        """Sign with a new key; waits at most `wait` seconds until whoever verifies has it.

        Raises KeyError for a key of another name, NotRotated, KeyRingFault, PolicyErrors, ReleasesFault.
        """
        rotation = self.rotations[name]
        ring = rotation.ring
        async with self._change:
            await asyncio.to_thread(ring.prepare)
            if not await rotation.distribution.publish(by, f"the next {name} key is trusted", wait):
                raise NotRotated(
                    "the next key is published, and not every OPA has it yet; nothing signs with it. Ask again"
                )
            ends = None if rotation.life is None else Epoch(self._clock.now() + rotation.life)
            await asyncio.to_thread(ring.switch, ends or _NEVER)
            await rotation.distribution.sign_anew(by, f"signed by the next {name} key")
            key_id = ring.key_id
        _log.warning("the %s key is %s now, by %r; the one before verifies until %s", name, key_id, by, ends or "ever")
        return Rotated(key_id, ends)

    async def watch(self) -> None:
        """Drop former keys whose time is over, and rotate what is due, until cancelled."""
        while True:
            try:
                await self.drop()
            except _FAULTS as fault:
                _log.error("a former key cannot be dropped: %s", fault)
            await self.rotate_due()
            await asyncio.sleep(_TICK)

    async def drop(self) -> None:
        """Drop former keys whose time is over. Raises KeyRingFault, PolicyErrors, ReleasesFault."""
        now = self._clock.now()
        for name, rotation in self.rotations.items():
            if not rotation.ring.is_outlived(now) or not rotation.distribution.may_withdraw():
                continue
            async with self._change:
                # a ring believes no key whose time is over; dropped first, a withdrawal that failed would stay undone
                await rotation.distribution.withdraw(f"former keys are dropped: {name}")
                await asyncio.to_thread(rotation.ring.drop, now)

    async def rotate_due(self) -> None:
        """Rotate every key whose time has come; one that cannot be rotated is tried again after minutes."""
        for name in self.rotations:
            try:
                if self._is_due(name):
                    await self.rotate(name, SCHEDULE, _SCHEDULED_WAIT)
            except (*_FAULTS, NotRotated) as fault:
                self._not_before[name] = Epoch(self._clock.now() + _RETRY)
                _log.error("the %s key is due and cannot be rotated: %s", name, fault)

    def _is_due(self, name: str) -> bool:
        rotation, now = self.rotations[name], self._clock.now()
        if rotation.every is None or now < self._not_before.get(name, now):
            return False
        return now >= rotation.ring.since + rotation.every
