"""What telling people of held calls needs from outside: channels, and an outbox that survives a restart."""

from __future__ import annotations

from typing import Protocol

from aegis_authz.core.approval import Approval
from aegis_authz.core.notice import Notice, NoticeKind
from aegis_authz.core.units import ApprovalId, Epoch


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

    @property
    def tells_outcomes(self) -> bool:
        """Whether it is told, too, what became of a call that it was told of."""
        ...


class Outbox(Protocol):
    """Notices that must be delivered, kept until they are, or until that is of no use any more.

    What is said of a notice counts while it belongs to who claimed it: once another one has, it changes nothing.
    """

    async def enter(self, approval_id: ApprovalId, place: str, kind: NoticeKind, now: Epoch) -> bool:
        """Keep a notice to be delivered; returns whether it is new. Raises StoreDown."""
        ...

    async def claim(self, channel: str, now: Epoch, until: Epoch) -> Notice | None:
        """The notice of that kind of channel that is due longest; nobody else gets it before `until`.

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
