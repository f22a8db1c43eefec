"""What keeps callbacks of access requests until they are delivered, and what posts them."""

from __future__ import annotations

from typing import Protocol

from aegis_authz.core.callback import Callback
from aegis_authz.core.units import Epoch


class Callbacks(Protocol):
    """Callbacks of all control planes on one database.

    What is said of a callback counts while it belongs to who claimed it: once another one has, it changes nothing.
    """

    async def enter(self, callback: Callback) -> None:
        """Keep one; what the same person wanted of the same task and endpoint before is replaced while its task is not
        settled, and stays as it is afterwards.

        Raises DatabaseFault.
        """
        ...

    async def watching(self) -> list[Callback]:
        """Those whose tasks are not settled, the oldest first. Raises DatabaseFault."""
        ...

    async def settle(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled, and it is due. Raises DatabaseFault."""
        ...

    async def dismiss(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled in a way that is not wanted. Raises DatabaseFault."""
        ...

    async def claim(self, endpoint: str, now: Epoch, until: Epoch) -> Callback | None:
        """The one of that endpoint that is due longest; nobody else gets it before `until`. Raises DatabaseFault."""
        ...

    async def next_due(self, endpoint: str) -> Epoch | None:
        """When the next one of that endpoint can be claimed, unless it changes; None where none is due ever.

        Raises DatabaseFault.
        """
        ...

    async def complete(self, callback: Callback, now: Epoch) -> None:
        """It was delivered. Raises DatabaseFault."""
        ...

    async def postpone(self, callback: Callback, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then. Raises DatabaseFault."""
        ...

    async def abandon(self, callback: Callback, trouble: str, now: Epoch) -> None:
        """It is not tried again. Raises DatabaseFault."""
        ...


class CallbackSender(Protocol):
    """Posts callbacks to the endpoints that the settings name, and to no other."""

    async def send(self, callback: Callback, content: bytes) -> None:
        """Post it. Raises ChannelFault."""
        ...
