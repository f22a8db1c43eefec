"""Where exported events go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as it is sent. `text` has no line end; `time` is epoch seconds, `kind` that of the record.

    `severity` is that of syslog (RFC 5424 section 6.2.1), 0 to 7.
    """

    id: str
    time: float
    kind: str
    severity: int
    text: str


class DeliveryFault(Exception):
    """A receiver did not take a batch; the message says why and is fit to show.

    `is_final`: the same events would be refused again. `wait` is for how many seconds the receiver asks to be left
    alone.
    """

    def __init__(self, why: str, is_final: bool, wait: float = 0.0) -> None:
        super().__init__(why)
        self.is_final = is_final
        self.wait = wait


class Receiver(Protocol):
    """Takes events, at least once each: what was delivered is on the other side when `deliver` returns."""

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all of them, in their order. Raises DeliveryFault, after which none counts as delivered."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
