"""The answers of language models, watched as they pass: their usage is read, and nothing waits for it.

Envoy shows these streams in observability mode: it sends a copy of what passes, heeds no reply, and lets the call go on
when nobody listens.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from aegis_authz.core.decision import Target
from aegis_authz.core.record import GOOD
from aegis_authz.costs.estimate import Estimate
from aegis_authz.costs.ticket import Ticket, read_ticket
from aegis_authz.costs.usage import Usage, UsageReader
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.wire.envoy.ext_authz import COST_METADATA, DECISION_METADATA, TRACE_METADATA
from aegis_authz.wire.envoy.ext_proc import MessagePart, Piece, read_piece

_log = logging.getLogger(__name__)
MOST_WATCHED = 64
"""Answers that are read at once, each of which may be kept up to `MOST_JSON`; of more the estimate stands."""


class Usages(Protocol):
    """Whoever charges calls by their usage."""

    async def measure(
        self, decision_id: str, ticket: Ticket, estimate: Estimate, usage: Usage | None, trace: str
    ) -> None:
        """Take the usage of an answer that is over; None where it said none. `trace` is as in `LogEntry`.

        Never raises but for a cancellation.
        """
        ...


class UsageWatch:
    """Reads the answers that Envoy shows as they pass."""

    def __init__(self, usages: Usages) -> None:
        self._usages = usages
        self._watched = 0

    async def watch(self, head: Piece, messages: AsyncIterator[bytes]) -> None:
        """Read an answer to its end; what is cut off, or tells nothing, leaves the estimate as it is.

        Raises StreamAborted for messages that cannot be read.
        """
        noted = head.metadata or {}
        try:
            ticket = read_ticket(noted.get(COST_METADATA, ""))
        except ValueError as fault:
            _log.error("the price of a call that is watched cannot be read: %s", fault)
            return
        estimate = ticket.estimate
        if estimate is None or estimate.tokens is None or _status(head) not in GOOD:
            return
        usage = None
        is_read = self._watched < MOST_WATCHED
        self._watched += is_read
        try:
            if is_read:
                usage = await _usage(head, messages)
        finally:
            self._watched -= is_read
            trace = noted.get(TRACE_METADATA, "")
            await self._usages.measure(noted.get(DECISION_METADATA, ""), ticket, estimate, usage, trace)


async def _usage(head: Piece, messages: AsyncIterator[bytes]) -> Usage | None:
    """The usage that an answer tells. Raises StreamAborted where it is cut off."""
    reader = _reader_for(head)
    if head.end_of_stream:
        return None
    try:
        async for message in messages:
            piece = read_piece(message)
            if reader is not None and piece.target is Target.RESPONSE and piece.part is MessagePart.BODY:
                reader.feed(piece.body)
            if piece.target is Target.RESPONSE and piece.end_of_stream:
                return None if reader is None else reader.finish()
    except Exception as fault:
        raise StreamAborted("the messages could not be read") from fault
    return None


def _status(head: Piece) -> int:
    text = "".join(head.headers.get(":status", ()))
    return int(text) if text.isdecimal() else 0


def _reader_for(head: Piece) -> UsageReader | None:
    if _is_encoded(head.headers):
        return None
    kind = "".join(head.headers.get("content-type", ())).partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return UsageReader(is_events=True)
    return UsageReader(is_events=False) if kind == "application/json" else None


def _is_encoded(headers: Mapping[str, tuple[str, ...]]) -> bool:
    return any(value.strip().lower() not in ("", "identity") for value in headers.get("content-encoding", ()))
