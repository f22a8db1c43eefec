"""The keys of trusted issuers, fetched in the background and remembered through their outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aegis_authz.core.trusted_issuer import KeySource, TrustedIssuer
from aegis_authz.core.units import Monotonic, Seconds
from aegis_authz.encoding.verifying_key import VerifyingKey, verifying_key
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.ports.control_plane import KeySets, KeysUnavailable
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)

_REFRESH = Seconds(300.0)
_TICK = Seconds(15.0)
_PAUSE = Seconds(30.0)
"""How long after an attempt a key that is not known is not looked for again."""
_LONGEST_OUTAGE = Seconds(86_400.0)
"""How long keys go on while their issuer cannot be reached."""


@dataclass(slots=True)
class _KeySet:
    """What is remembered of a source: its keys, when they came, when they were asked for last, and why that failed."""

    keys: tuple[VerifyingKey, ...] = ()
    came_at: Monotonic | None = None
    asked_at: Monotonic | None = None
    trouble: str = ""


class TrustedKeys:
    """Looks keys up by issuer; of many who miss the same key at once, one asks the issuer."""

    def __init__(self, sets: KeySets, issuers: Callable[[], Sequence[TrustedIssuer]], clock: Clock) -> None:
        self._sets = sets
        self._issuers = issuers
        self._clock = clock
        self._remembered: dict[KeySource, _KeySet] = {}
        self._locks: dict[KeySource, asyncio.Lock] = {}

    async def watch(self) -> None:
        """Fetch what is new or old, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_TICK)

    async def refresh(self) -> None:
        """Fetch the sets that are new, or older than five minutes; forget those that nobody trusts any more."""
        sources = {issuer.key_source for issuer in self._issuers() if issuer.key_source is not None}
        self._forget(sources)
        due = [source for source in sources if self._is_due(source)]
        await asyncio.gather(*(self._fetch(source, self._clock.monotonic()) for source in due))

    async def of(self, issuer: TrustedIssuer, kid: str) -> tuple[VerifyingKey, ...]:
        """The keys of an issuer; one with this `kid` among them, if it has it.

        Raises NotIssued(SUBJECT_KEYS_DOWN) while no such key is known and the issuer cannot be asked.
        """
        source = issuer.key_source
        if source is None:
            return tuple(verifying_key(jwk) for jwk in issuer.jwks)
        keys = self._known(source)
        if not _has(keys, kid):
            await self._fetch(source, self._clock.monotonic())
            keys = self._known(source)
            trouble = self._remembered[source].trouble
            if not _has(keys, kid) and trouble:
                raise NotIssued(Denial.SUBJECT_KEYS_DOWN, f"{issuer.name}: {trouble}")
        return keys

    def _known(self, source: KeySource) -> tuple[VerifyingKey, ...]:
        remembered = self._remembered.get(source)
        if remembered is None or remembered.came_at is None:
            return ()
        return remembered.keys if self._clock.monotonic() - remembered.came_at <= _LONGEST_OUTAGE else ()

    def _is_due(self, source: KeySource) -> bool:
        remembered = self._remembered.get(source)
        if remembered is None or remembered.came_at is None:
            return True
        return self._clock.monotonic() - remembered.came_at >= _REFRESH

    async def _fetch(self, source: KeySource, wanted_at: Monotonic) -> None:
        async with self._locks.setdefault(source, asyncio.Lock()):
            remembered = self._remembered.setdefault(source, _KeySet())
            if remembered.asked_at is not None and wanted_at - remembered.asked_at < _PAUSE:
                return
            remembered.asked_at = self._clock.monotonic()
            try:
                url = await self._sets.discover(source.url) if source.is_issuer else source.url
                remembered.keys = await self._sets.fetch(url)
            except KeysUnavailable as fault:
                remembered.trouble = str(fault)
                _log.warning("keys of a trusted issuer cannot be fetched; those that are known go on: %s", fault)
                return
            remembered.came_at, remembered.trouble = remembered.asked_at, ""

    def _forget(self, sources: Collection[KeySource]) -> None:
        for source in self._remembered.keys() - sources:
            del self._remembered[source]
            self._locks.pop(source, None)


def _has(keys: Sequence[VerifyingKey], kid: str) -> bool:
    return any(key.kid == kid for key in keys) if kid else bool(keys)
