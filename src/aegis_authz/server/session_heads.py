"""The heads of answers that open MCP sessions: their ids are wrapped; every other stream is of bodies."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aegis_authz.check.body_terms import BodyTerms, read_session_terms
from aegis_authz.check.withhold import withheld
from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.session import wrapped_id
from aegis_authz.ports.data_plane import SessionKeys
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.host import Process
from aegis_authz.wire.envoy.ext_proc import BodyMode, MessagePart, Piece, headers_reply, immediate_reply, read_piece
from aegis_authz.wire.mcp.session import SESSION_HEADER

_log = logging.getLogger(__name__)


class SessionHeadHandler:
    """Answers the streams of heads alone, and leaves all others to `bodies`."""

    def __init__(self, bodies: Process, keys: SessionKeys) -> None:
        self._bodies = bodies
        self._keys = keys

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Answer one stream. Raises what `bodies` raises."""
        try:
            first = await anext(messages, None)
        except Exception as fault:
            raise StreamAborted("the messages could not be read") from fault
        reply = self._head_reply(first) if first is not None else None
        if reply is None:
            async with aclosing(self._bodies(_with_first(first, messages))) as replies:
                async for body_reply in replies:
                    yield body_reply
            return
        yield reply
        async for _ in messages:  # Envoy hangs up: there is nothing else to be seen
            pass

    def _head_reply(self, message: bytes) -> bytes | None:
        """The head with its session's id wrapped; None for a stream of bodies."""
        try:
            piece = read_piece(message)
        except Refused:
            return None
        if not _is_head_alone(piece):
            return None
        terms = None
        try:
            owner, terms = read_session_terms(piece.metadata)
            return headers_reply(piece.target, {SESSION_HEADER: self._wrapped(piece, owner)}, ())
        except Refused as refused:
            _log.warning("an MCP session was not opened: %s", refused)
            return _refusal(refused.reason, terms)

    def _wrapped(self, piece: Piece, owner: str) -> str:
        ids = piece.headers.get(SESSION_HEADER, ())
        try:
            (tool_id,) = ids
            return wrapped_id(tool_id, owner, self._keys.session_keys())
        except ValueError:
            raise Refused(Reason.RESPONSE_WITHHELD, "the tool names its session in no way that can be bound") from None


def _is_head_alone(piece: Piece) -> bool:
    modes = piece.modes
    return (
        piece.target is Target.RESPONSE
        and piece.part is MessagePart.HEADERS
        and modes is not None
        and all(mode is BodyMode.NONE for mode in modes.values())
        and not piece.observed
    )


def _refusal(reason: Reason, terms: BodyTerms | None) -> bytes:
    answer = withheld(reason, Target.RESPONSE, terms)
    return immediate_reply(answer.status, answer.headers, answer.body, f"aegis_{reason.value.lower()}")


async def _with_first(first: bytes | None, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for message in messages:
        yield message
