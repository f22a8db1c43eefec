"""Notices of held calls that reached nobody, as the control plane answers them."""

from __future__ import annotations

from aegis_authz.api.model import Answer
from aegis_authz.core.notice import Notice


class NoticeAnswer(Answer):
    """A notice that was given up. `notice` is held or settled, and `trouble` why nobody at `place` was told."""

    approval: str
    place: str
    notice: str
    attempts: int
    trouble: str

    @classmethod
    def of(cls, notice: Notice) -> NoticeAnswer:
        """The notice as an answer shows it."""
        return cls(
            approval=notice.approval_id,
            place=notice.place,
            notice=notice.kind.value,
            attempts=notice.attempts,
            trouble=notice.trouble,
        )


class UndeliveredAnswer(Answer):
    """What could not be delivered, the newest first."""

    undelivered: tuple[NoticeAnswer, ...]


class ChannelAnswer(Answer):
    """A channel: how often it failed since a message last arrived, and why the last time, "" for never."""

    kind: str
    failures: int
    trouble: str


class ChannelsAnswer(Answer):
    """The channels there are."""

    channels: tuple[ChannelAnswer, ...]
