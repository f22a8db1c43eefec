"""Notices: what people are told of held calls and of refusals, at which place of which channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

LOG_PLACE = "log"
"""The place that is the control plane's own log."""


class ChannelKind(Enum):
    """The kinds of channels there are: what stands before the colon of a place."""

    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"
    EMAIL = "email"


class NoticeKind(Enum):
    """What a notice says."""

    HELD = "held"
    """A call waits for somebody to decide."""

    SETTLED = "settled"
    """Nobody has to decide any more: it was decided, here or elsewhere, or its time is over."""

    ALERT = "alert"
    """Calls were refused of which a document wants people to learn."""


class NoticeState(Enum):
    """How far a notice came."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about an approval or an alert, whose id `subject` is, at a place such as `slack:#finance`.

    `attempts` counts those that were begun. `receipt` is what the channel gave for the message that said the call is
    held, by which it is changed later; "" for none. `trouble` is why it was not delivered last, "" for nothing.
    """

    subject: str
    place: str
    kind: NoticeKind
    state: NoticeState
    attempts: int
    receipt: str
    trouble: str

    @property
    def channel(self) -> str:
        """The kind of channel: what stands before the colon."""
        return self.place.partition(":")[0]

    @property
    def address(self) -> str:
        """Where on the channel: what stands after the colon."""
        return self.place.partition(":")[2]


@dataclass(frozen=True, slots=True)
class ChannelPlaces:
    """The places that the channels of a control plane have: by kind, the names there are, None where any may be."""

    names: Mapping[str, frozenset[str] | None]

    def fault(self, place: str) -> str:
        """Why nobody can be told there, "" where somebody can."""
        if place == LOG_PLACE:
            return ""
        kind, _, name = place.partition(":")
        if kind not in self.names:
            return f"the control plane's settings have no channel {kind}"
        names = self.names[kind]
        if names is None or name in names:
            return ""
        return f"the control plane's settings have no {place}; those of {kind} are {', '.join(sorted(names)) or 'none'}"


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a kind of channel does: how often it failed since a message last arrived, and why the last time."""

    kind: str
    failures: int
    trouble: str
