"""The answers of language models, watched as they pass: their usage is read, and nothing waits for it.

Envoy shows these streams in observability mode: it sends a copy of what passes, heeds no reply, and lets the call go on
when nobody listens.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Protocol

from aegis_authz.core.decision import Target
from aegis_authz.core.refused import Refused
from aegis_authz.costs.estimate import Estimate
from aegis_authz.costs.ticket import Ticket, read_ticket
from aegis_authz.costs.usage import GOOD, Usage, UsageReader
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.host import Process
from aegis_authz.wire.envoy.ext_authz import COST_METADATA, DECISION_METADATA
from aegis_authz.wire.envoy.ext_proc import MessagePart, Piece, read_piece

_log = logging.getLogger(__name__)
MOST_WATCHED = 64
"""Answers that are read at once, each of which may be kept up to `MOST_JSON`; of more the estimate stands."""


class Usages(Protocol):
    """Whoever charges calls by their usage."""

    async def measure(self, decision_id: str, ticket: Ticket, estimate: Estimate, usage: Usage | None) -> None:
        """Take the usage of an answer that is over; None where it said none. Never raises but for a cancellation."""
        ...


class UsageHandler:
    """Answers the streams that Envoy lets it watch, and leaves all others to `others`."""

    def __init__(self, others: Process, usages: Usages) -> None:
        self._others = others
        self._usages = usages
        self._watched = 0

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Watch one stream, without a reply. Raises what `others` raises."""
        try:
            first = await anext(messages, None)
        except Exception as fault:
            raise StreamAborted("the messages could not be read") from fault
        head = _observed(first) if first is not None else None
        if head is None:
            async with aclosing(self._others(_with_first(first, messages))) as replies:
                async for reply in replies:
                    yield reply
            return
        await self._watch(head, messages)

    async def _watch(self, head: Piece, messages: AsyncIterator[bytes]) -> None:
        """Read an answer to its end; what is cut off, or tells nothing, leaves the estimate as it is."""
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
            await self._usages.measure(noted.get(DECISION_METADATA, ""), ticket, estimate, usage)


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


def _observed(message: bytes) -> Piece | None:
    """The head of an answer that is to be watched; None for the first message of any other stream."""
    try:
        piece = read_piece(message)
    except Refused:
        return None
    is_head = piece.target is Target.RESPONSE and piece.part is MessagePart.HEADERS
    return piece if piece.observed and is_head else None


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


async def _with_first(first: bytes | None, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for message in messages:
        yield message
