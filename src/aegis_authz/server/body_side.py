"""One direction of one ext_proc stream: Envoy's pieces in, replies in the right dialect out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.bodies import UNKNOWN_HEAD, BodyFacts, BodyFilter, OpaqueBody, filter_for
from aegis_authz.redact.heads import judged_request_head, judged_response_head
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.wire.bodies.coding import Decoding, decoded
from aegis_authz.wire.envoy.ext_proc import (
    BodyMode,
    MessagePart,
    Piece,
    headers_reply,
    replaced_reply,
    streamed_reply,
    trailers_reply,
)
from aegis_authz.wire.mcp.request_state import STATE_CODING, without_state

_REPLY_BYTES = 256 * 1024
_STALE = ("accept-ranges", "content-digest", "content-md5", "digest", "etag", "repr-digest")
"""What a tool says of bytes that nobody will see."""

_NOT_CACHED = {"cache-control": "no-store"}
"""What was redacted for one agent is for no other."""


class State(Enum):
    """How far a direction is."""

    WAITING = "waiting"
    OPEN = "open"
    DONE = "done"


class Side:
    """Processes one direction by the obligations of `sanitizer`, in the dialect of `mode`, after it decoded the body
    by `decoding`, where that is not None.

    `released` turns true with the first reply that lets bytes or a head through: from then on a
    refusal cannot become a clean answer any more.
    """

    def __init__(self, target: Target, mode: BodyMode, sanitizer: Sanitizer, decoding: Decoding | None) -> None:
        self.target = target
        self.state = State.WAITING
        self.released = False
        self.counts: Mapping[str, int] = {}
        self.pending = 0
        self._mode = mode
        self._sanitizer = sanitizer
        self._decoding = decoding
        self._filter: BodyFilter | None = None
        self._held: list[bytes] = []

    @property
    def is_streaming(self) -> bool:
        """Whether it shows a body bit by bit, so that pauses of any length are in order."""
        return self._filter is not None and self._filter.streams and self._is_duplex

    @property
    def is_needed(self) -> bool:
        """Whether obligations concern this direction, or its body must be decoded."""
        return self._sanitizer.has_work or self.decodes

    @property
    def decodes(self) -> bool:
        """Whether the body goes on decoded."""
        return self._decoding is not None

    @property
    def _is_duplex(self) -> bool:
        return self._mode is BodyMode.FULL_DUPLEX_STREAMED

    def accept(self, piece: Piece) -> list[bytes]:
        """The replies to one piece; after the last one `state` is DONE.

        Raises Refused when the body must not pass, or comes in an order or mode that cannot be judged.
        """
        if piece.part is MessagePart.TRAILERS and self.state is State.DONE and not self._is_duplex:
            return [trailers_reply(self.target, tuple(piece.headers))]
        if self.state is State.DONE:
            raise Refused(Reason.INTERNAL_FAULT, "a piece after the end")
        replies = self._replies(piece)
        self.counts = self._sanitizer.counts
        return replies

    def note_released(self, replies: list[bytes]) -> None:
        """The replies are on their way."""
        self.released = self.released or (bool(replies) and (self._is_duplex or self.state is State.DONE))

    def _replies(self, piece: Piece) -> list[bytes]:
        match piece.part:
            case MessagePart.HEADERS:
                return self._head(piece)
            case MessagePart.BODY:
                return self._body(piece)
            case MessagePart.TRAILERS:
                return self._trailers(piece)

    def _head(self, piece: Piece) -> list[bytes]:
        if self.state is not State.WAITING:
            raise Refused(Reason.INTERNAL_FAULT, "a second head")
        self.state = State.OPEN
        if not self.is_needed and self._mode is BodyMode.NONE:
            self.state = State.DONE
            return [headers_reply(self.target, {}, ())]
        self._demand_mode()
        facts = _facts(piece) if self._decoding is None else _decoded_facts(piece, self._decoding)
        judged = judged_request_head if self.target is Target.REQUEST else judged_response_head
        head = judged(piece.headers, self._sanitizer)
        has_answer = self.target is Target.RESPONSE and not piece.end_of_stream
        added = _NOT_CACHED if has_answer else {}
        self._filter = filter_for(facts, self._sanitizer) if self._sanitizer.has_work else OpaqueBody()
        stale = () if piece.end_of_stream else (*_STALE, "content-encoding") if self.decodes else _STALE
        reply = headers_reply(self.target, {**head.changed, **added}, (*head.removed, *stale))
        if piece.end_of_stream:
            self.state = State.DONE
        elif self._is_duplex and not self._filter.streams:
            self._held = [reply]
            return []
        return [reply]

    def _body(self, piece: Piece) -> list[bytes]:
        body_filter = self._chosen()
        output = body_filter.feed(piece.body if self._decoding is None else _judged(piece.body, self._decoding))
        self.pending += len(piece.body)
        if not self._is_duplex:  # BUFFERED: one message holds it all, also when trailers follow it
            self.state = State.DONE
            return [replaced_reply(self.target, output + body_filter.finish(), {})]
        if piece.end_of_stream:
            self.state = State.DONE
            return self._flush(streamed(self.target, output + body_filter.finish(), True))
        if self.is_streaming:
            self.pending = 0
        return self._flush(streamed(self.target, output, False)) if output else []

    def _trailers(self, piece: Piece) -> list[bytes]:
        rest = self._chosen().finish()
        self.state = State.DONE
        body = streamed(self.target, rest, False) if rest else []
        return self._flush([*body, trailers_reply(self.target, tuple(piece.headers))])

    def _flush(self, replies: list[bytes]) -> list[bytes]:
        pieces, self._held = self._held, []
        return pieces + replies

    def _chosen(self) -> BodyFilter:
        if self._filter is None:
            if self.target is Target.RESPONSE:
                raise Refused(Reason.INTERNAL_FAULT, "a response without its head")
            if self.decodes:
                raise Refused(Reason.INTERNAL_FAULT, "an encoded body without its head")
            self._demand_mode()
            self._filter = filter_for(UNKNOWN_HEAD, self._sanitizer)
            self.state = State.OPEN
        return self._filter

    def _demand_mode(self) -> None:
        if not self.is_needed:
            raise Refused(Reason.INTERNAL_FAULT, f"no obligation concerns the {self.target.value}")
        if self._mode not in (BodyMode.BUFFERED, BodyMode.FULL_DUPLEX_STREAMED):
            # STREAMED loses what is held when trailers follow; NONE shows nothing
            raise Refused(Reason.INTERNAL_FAULT, f"body mode {self._mode.name} cannot be redacted")
        if self.decodes and self._mode is not BodyMode.BUFFERED:
            raise Refused(Reason.INTERNAL_FAULT, f"body mode {self._mode.name} cannot be decoded")


def streamed(target: Target, body: bytes, end: bool) -> list[bytes]:
    """The bytes as replies in the duplex dialect, none of them larger than gRPC carries everywhere."""
    cuts = range(0, max(len(body), 1), _REPLY_BYTES)
    return [streamed_reply(target, body[cut : cut + _REPLY_BYTES], end and cut == cuts[-1]) for cut in cuts]


def _facts(piece: Piece) -> BodyFacts:
    status = "".join(piece.headers.get(":status", ()))
    if piece.target is Target.RESPONSE and not status.isdecimal():
        raise Refused(Reason.INTERNAL_FAULT, "a response without a status")
    return BodyFacts(
        status=int(status) if status else None,
        content_type=piece.headers.get("content-type", ()),
        content_encoding=piece.headers.get("content-encoding", ()),
        is_partial="content-range" in piece.headers,
    )


def _decoded_facts(piece: Piece, decoding: Decoding) -> BodyFacts:
    """What the head says of a body that goes on decoded. Raises Refused where it is not the head that was judged."""
    facts = _facts(piece)
    if piece.end_of_stream or facts.content_encoding != (() if decoding.coding == STATE_CODING else (decoding.coding,)):
        raise Refused(Reason.INTERNAL_FAULT, "the head is not that of the body that was judged")
    return replace(facts, content_encoding=())


def _judged(body: bytes, decoding: Decoding) -> bytes:
    """The decoded body. Raises Refused where it is not the one that was judged."""
    content = without_state(body) if decoding.coding == STATE_CODING else decoded(body, decoding.coding)
    if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), decoding.sha256):
        raise Refused(Reason.INTERNAL_FAULT, "the body is not the one that was judged")
    return content
