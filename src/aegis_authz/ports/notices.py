"""What telling people of held calls and refusals needs from outside: channels, and what survives a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from aegis_authz.core.alert import Alert, Sighting
from aegis_authz.core.approval import Approval
from aegis_authz.core.notice import Notice, NoticeKind
from aegis_authz.core.units import ApprovalId, Epoch

MOST_OPEN: Final = 20
"""Alerts of one tenant that gather at once, each of an agent and a destination by name."""


class ChannelFault(Exception):
    """A message was not delivered; the text says why and holds no secret.

    `is_final` where trying again is of no use. `wait` is for how many seconds the channel wants to be left alone.
    """

    def __init__(self, trouble: str, *, is_final: bool, wait: float = 0.0) -> None:
        super().__init__(trouble)
        self.is_final = is_final
        self.wait = wait


class Channel(Protocol):
    """One way to reach people. It renders all of a call, or says where all of it is to be read."""

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Say what the notice says of the approval as it stands; returns a receipt, "" for none.

        Raises ChannelFault.
        """
        ...

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Say which calls were refused; returns a receipt, "" for none. Raises ChannelFault."""
        ...

    @property
    def tells_outcomes(self) -> bool:
        """Whether it is told, too, what became of a call that it was told of."""
        ...


class Alerts(Protocol):
    """Alerts that are gathered until somebody is told of them, with their notices in the same outbox.

    One that is closed takes no more. Of a tenant at most `MOST_OPEN` gather at once: what more there is of it is
    gathered in one for each reason, so that nobody floods a channel that others need.
    """

    async def gather(self, sightings: Sequence[Sighting], now: Epoch) -> None:
        """Add each to the alert of its agent, reason and destination that is open, or open one, all or nothing.

        The notices of one that is opened are due once its time is over. Raises StoreDown.
        """
        ...

    async def close(self, alert_id: str, now: Epoch) -> Alert | None:
        """The alert as it is told from now on, whoever asks; None for one that is forgotten. Raises StoreDown."""
        ...


class Outbox(Protocol):
    """Notices that must be delivered, kept until they are, or until that is of no use any more.

    What is said of a notice counts while it belongs to who claimed it: once another one has, it changes nothing.
    """

    async def enter(self, approval_id: ApprovalId, place: str, kind: NoticeKind, now: Epoch) -> bool:
        """Keep a notice to be delivered; returns whether it is new. Raises StoreDown."""
        ...

    async def claim(self, channel: str, now: Epoch, until: Epoch) -> Notice | None:
        """The notice of that kind of channel that is due longest, those of held calls first; nobody else gets it before
        `until`.

        Raises StoreDown.
        """
        ...

    async def next_due(self, channel: str) -> Epoch | None:
        """When the next notice of that kind of channel can be claimed, unless it changes; None where none waits.

        Raises StoreDown.
        """
        ...

    async def complete(self, notice: Notice, receipt: str, now: Epoch) -> None:
        """It was delivered. Raises StoreDown."""
        ...

    async def postpone(self, notice: Notice, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then. Raises StoreDown."""
        ...

    async def abandon(self, notice: Notice, trouble: str, now: Epoch) -> None:
        """It is not tried again. Raises StoreDown."""
        ...

    async def unsettled(self) -> list[Notice]:
        """The notices of held calls that were delivered, and after which no other came yet. Raises StoreDown."""
        ...

    async def undelivered(self, limit: int) -> list[Notice]:
        """What could not be delivered, the newest first. Raises StoreDown."""
        ...
