"""How whoever verifies signatures learns which keys to believe."""

from __future__ import annotations

import asyncio
from typing import Protocol

from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.discovery import Discovery
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core.units import Seconds

_SELF = "control"
_SETTLE = Seconds(2.0)
"""How long after OPA has a revision until the last worker has read it."""


class Distribution(Protocol):
    """The way of one kind of keys to whoever verifies by them."""

    async def publish(self, by: str, words: str, wait: float) -> bool:
        """Publish the keys of now; whether all have them after at most `wait` seconds."""
        ...

    async def sign_anew(self, by: str, words: str) -> None:
        """Sign what is served with the key of now, where that is one thing."""
        ...

    def may_withdraw(self) -> bool:
        """Whether nothing that is served needs a former key any more."""
        ...

    async def withdraw(self, words: str) -> None:
        """Publish that former keys are believed no more."""
        ...


class TrustInBundles:
    """The keys of tokens and approvals: workers read them from the bundle of policies."""

    def __init__(self, publisher: Publisher, board: StatusBoard) -> None:
        self._publisher = publisher
        self._board = board

    async def publish(self, by: str, words: str, wait: float) -> bool:
        """Publish the keys of now in a bundle. Raises PolicyErrors, ReleasesFault."""
        published = await self._publisher.rebuild(by, words)
        activation = await self._board.activation(published.revision, wait)
        if not activation.active_on or activation.waiting_for or activation.refused:
            return False
        await asyncio.sleep(_SETTLE)
        return True

    async def sign_anew(self, by: str, words: str) -> None:
        """Nothing: each token and approval is signed when it is made."""

    def may_withdraw(self) -> bool:
        """Always: what they signed ends by itself."""
        return True

    async def withdraw(self, words: str) -> None:
        """Publish a bundle without the former keys. Raises PolicyErrors, ReleasesFault."""
        await self._publisher.rebuild(_SELF, words)


class TrustInFiles:
    """The keys of records: writers read theirs from its file, and auditors are given the public halves."""

    async def publish(self, by: str, words: str, wait: float) -> bool:
        """Nothing: the ring writes the public half of its next key beside the others."""
        return True

    async def sign_anew(self, by: str, words: str) -> None:
        """Nothing: each writer seals with the key of now within seconds."""

    def may_withdraw(self) -> bool:
        """Never: no key is withdrawn."""
        return False

    async def withdraw(self, words: str) -> None:
        """Nothing."""


class TrustInConfiguration:
    """The keys of bundles: OPA reads them from its configuration, which the root key signs."""

    def __init__(self, discovery: Discovery, publisher: Publisher, bulletin: Bulletin, board: StatusBoard) -> None:
        self._discovery = discovery
        self._publisher = publisher
        self._bulletin = bulletin
        self._board = board

    async def publish(self, by: str, words: str, wait: float) -> bool:
        """Publish the keys of now to every OPA. Raises PolicyErrors where the bundle could not be signed anew."""
        await self._publisher.rebuild(by, words)
        return await self._board.configured(self._discovery.refresh().revision, wait)

    async def sign_anew(self, by: str, words: str) -> None:
        """Sign the bundle that is served with the key of now. Raises PolicyErrors, ReleasesFault."""
        await self._publisher.resign(by, words)

    def may_withdraw(self) -> bool:
        """Whether the bundle that is served is signed by the key that stays."""
        live = self._bulletin.live
        return live is not None and live.signer == self._discovery.signer

    async def withdraw(self, words: str) -> None:
        """Publish a configuration without the former keys."""
        self._discovery.refresh()
