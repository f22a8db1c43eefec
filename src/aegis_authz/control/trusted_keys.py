"""The keys of trusted issuers, fetched in the background and remembered through their outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aegis_authz.core.trusted_issuer import TrustedIssuer
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
    """What is remembered of a URL: its keys, when they came, when they were asked for last, and whether that failed."""

    keys: tuple[VerifyingKey, ...] = ()
    came_at: Monotonic | None = None
    asked_at: Monotonic | None = None
    is_down: bool = False


class TrustedKeys:
    """Looks keys up by issuer; of many who miss the same key at once, one asks the issuer."""

    def __init__(self, sets: KeySets, issuers: Callable[[], Sequence[TrustedIssuer]], clock: Clock) -> None:
        self._sets = sets
        self._issuers = issuers
        self._clock = clock
        self._remembered: dict[str, _KeySet] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def watch(self) -> None:
        """Fetch what is new or old, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_TICK)

    async def refresh(self) -> None:
        """Fetch the sets that are new, or older than five minutes; forget those that nobody trusts any more."""
        urls = {issuer.jwks_url for issuer in self._issuers() if issuer.jwks_url}
        self._forget(urls)
        due = [url for url in urls if self._is_due(url)]
        await asyncio.gather(*(self._fetch(url, self._clock.monotonic()) for url in due))

    async def of(self, issuer: TrustedIssuer, kid: str) -> tuple[VerifyingKey, ...]:
        """The keys of an issuer; one with this `kid` among them, if it has it.

        Raises NotIssued(SUBJECT_KEYS_DOWN) while no such key is known and the issuer cannot be asked.
        """
        if not issuer.jwks_url:
            return tuple(verifying_key(jwk) for jwk in issuer.jwks)
        keys = self._known(issuer.jwks_url)
        if not _has(keys, kid):
            await self._fetch(issuer.jwks_url, self._clock.monotonic())
            keys = self._known(issuer.jwks_url)
            if not _has(keys, kid) and self._remembered[issuer.jwks_url].is_down:
                raise NotIssued(Denial.SUBJECT_KEYS_DOWN, issuer.name)
        return keys

    def _known(self, url: str) -> tuple[VerifyingKey, ...]:
        remembered = self._remembered.get(url)
        if remembered is None or remembered.came_at is None:
            return ()
        return remembered.keys if self._clock.monotonic() - remembered.came_at <= _LONGEST_OUTAGE else ()

    def _is_due(self, url: str) -> bool:
        remembered = self._remembered.get(url)
        if remembered is None or remembered.came_at is None:
            return True
        return self._clock.monotonic() - remembered.came_at >= _REFRESH

    async def _fetch(self, url: str, wanted_at: Monotonic) -> None:
        async with self._locks.setdefault(url, asyncio.Lock()):
            remembered = self._remembered.setdefault(url, _KeySet())
            if remembered.asked_at is not None and wanted_at - remembered.asked_at < _PAUSE:
                return
            remembered.asked_at = self._clock.monotonic()
            try:
                remembered.keys = await self._sets.fetch(url)
            except KeysUnavailable as fault:
                remembered.is_down = True
                _log.warning("keys of a trusted issuer cannot be fetched; those that are known go on: %s", fault)
                return
            remembered.came_at, remembered.is_down = remembered.asked_at, False

    def _forget(self, urls: Collection[str]) -> None:
        for url in self._remembered.keys() - urls:
            del self._remembered[url]
            self._locks.pop(url, None)


def _has(keys: Sequence[VerifyingKey], kid: str) -> bool:
    return any(key.kid == kid for key in keys) if kid else bool(keys)
