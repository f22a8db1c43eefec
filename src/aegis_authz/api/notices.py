"""Notices of held calls and of refusals that reached nobody, as the control plane answers them."""

from __future__ import annotations

from aegis_authz.api.model import Answer
from aegis_authz.core.notice import Notice, NoticeKind


class NoticeAnswer(Answer):
    """A notice that was given up: of an approval (`notice` is held or settled), or of an alert; the other is "".

    `trouble` is why nobody at `place` was told.
    """

    approval: str
    alert: str
    place: str
    notice: str
    attempts: int
    trouble: str

    @classmethod
    def of(cls, notice: Notice) -> NoticeAnswer:
        """The notice as an answer shows it."""
        is_alert = notice.kind is NoticeKind.ALERT
        return cls(
            approval="" if is_alert else notice.subject,
            alert=notice.subject if is_alert else "",
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
