"""Callbacks: to whom it is posted that an access request is settled, and how far that came."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum


class CallbackState(Enum):
    """How far a callback came."""

    WATCHING = "watching"
    """Its task is not settled."""

    DUE = "due"
    """Its task is, and whoever submitted it must learn of that."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNWANTED = "unwanted"
    """Its task ended in a way that whoever submitted it did not ask to be told of."""


@dataclass(frozen=True, slots=True)
class Callback:
    """That a person's enforcement point wants a task's end posted to `endpoint`.

    `echo` is what it wants back with it, None for nothing; `events` are the endings that it wants to be told of.
    `attempts` counts those that were begun, `trouble` says why the last one failed, "" for nothing.
    """

    task_id: str
    endpoint: str
    person: str
    echo: str | None
    events: frozenset[str]
    state: CallbackState
    attempts: int
    trouble: str

    @property
    def id(self) -> str:
        """Names it: a person has one of a task and an endpoint."""
        return hashlib.sha256(json.dumps([self.person, self.task_id, self.endpoint]).encode("ascii")).hexdigest()
