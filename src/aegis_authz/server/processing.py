"""What a stream of Envoy's external processor is: bodies to be redacted, the head of a session, an answer to watch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aegis_authz.core.decision import Target
from aegis_authz.core.refused import Refused
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.host import Process
from aegis_authz.server.session_heads import SessionHeads
from aegis_authz.server.usage_streams import UsageWatch
from aegis_authz.wire.envoy.ext_proc import BodyMode, MessagePart, Piece, read_piece


class ProcessingHandler:
    """Answers each stream by whom its first message is for. What is neither a head alone nor watched is of bodies,
    which refuse what they do not know.
    """

    def __init__(self, bodies: Process, heads: SessionHeads, usages: UsageWatch) -> None:
        self._bodies = bodies
        self._heads = heads
        self._usages = usages

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Answer one stream. Raises StreamAborted."""
        first = await _first(messages)
        head = _answer_head(first) if first is not None else None
        if head is not None and head.observed:
            await self._usages.watch(head, messages)  # without a reply: Envoy heeds none
        elif head is not None and _is_alone(head):
            yield self._heads.reply(head)
            async for _ in messages:  # Envoy hangs up: there is nothing else to be seen
                pass
        else:
            async with aclosing(self._bodies(_with_first(first, messages))) as replies:
                async for reply in replies:
                    yield reply


async def _first(messages: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(messages, None)
    except Exception as fault:
        raise StreamAborted("the messages could not be read") from fault


def _answer_head(message: bytes) -> Piece | None:
    """The head of an answer with which a stream begins; None where it begins with anything else."""
    try:
        piece = read_piece(message)
    except Refused:
        return None
    return piece if piece.target is Target.RESPONSE and piece.part is MessagePart.HEADERS else None


def _is_alone(head: Piece) -> bool:
    modes = head.modes
    return modes is not None and all(mode is BodyMode.NONE for mode in modes.values())


async def _with_first(first: bytes | None, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for message in messages:
        yield message
