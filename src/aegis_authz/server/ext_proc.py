"""The ext_proc handler: messages in, messages out; knows nothing of its host.

Envoy lets the rest of a body through unfiltered when its processor ends the stream cleanly. So the
stream ends cleanly here only after the end of every body was seen; else with StreamAborted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from aegis_authz.check.body_terms import BodyTerms, read_terms
from aegis_authz.check.withhold import last_event, withheld
from aegis_authz.core.call import RpcShape
from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.ports.data_plane import Clock, RecordLog
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.server.body_side import Side, State, streamed
from aegis_authz.wire.envoy.ext_proc import BodyMode, MessagePart, Piece, immediate_reply, read_piece

_log = logging.getLogger(__name__)
THREAD_FROM = 16 * 1024
"""Bytes of judging at once beyond which the event loop must not wait for it: at worst some 20 ms."""

DONE = "done"


class StreamAborted(Exception):
    """The host must end the stream with an error, never cleanly. The message is fit to be sent."""


class Allowance:
    """The time that judging one message may take; in a thread nothing else can stop it. `seconds` by the clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = math.inf

    def renew(self) -> None:
        """Begin anew."""
        self._end = self._clock.monotonic() + self._seconds

    def tick(self) -> None:
        """Raises Refused(DEADLINE_EXCEEDED) when the time is over."""
        if self._clock.monotonic() > self._end:
            raise Refused(Reason.DEADLINE_EXCEEDED, "redaction took too long")


class _Stream:
    """What is known of one stream. `answered`: the exchange was ended by us, nothing more may be said."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.terms: BodyTerms | None = None
        self.sides: Mapping[Target, Side] = {}
        self.target = Target.REQUEST
        self.answered = False
        self.recorded: set[Target] = set()
        self.reading: asyncio.Task[bytes | None] | None = None

    def begin(self, piece: Piece) -> None:
        """Learn the terms and dialects from the first piece. Raises Refused when they are not all there."""
        self.target = piece.target
        self.terms = terms = read_terms(piece.metadata)
        if piece.modes is None or piece.observed:
            raise Refused(Reason.INTERNAL_FAULT, "Envoy does not say how it sends bodies, or does not wait for answers")
        is_rpc = terms.rpc.shape is not RpcShape.NONE
        self.sides = {
            target: Side(
                target,
                mode,
                Sanitizer(terms.obligations, target, is_rpc, terms.rpc.id, self.allowance.tick),
                terms.decoding if target is Target.REQUEST else None,
            )
            for target, mode in piece.modes.items()
        }
        if any(side.is_needed and piece.modes[target] is BodyMode.NONE for target, side in self.sides.items()):
            raise Refused(Reason.INTERNAL_FAULT, "a body must be redacted and is not shown")

    @property
    def is_complete(self) -> bool:
        """Whether the end of every body that matters was seen."""
        if self.answered:
            return True
        states = {target: side.state for target, side in self.sides.items()}
        if not states or State.OPEN in states.values() or State.DONE not in states.values():
            return False
        return states[Target.RESPONSE] is State.DONE or not self.sides[Target.RESPONSE].is_needed

    @property
    def waits(self) -> bool:
        """Whether the next message must come soon: a body is held back, or Envoy should hang up."""
        return self.answered or any(side.state is State.OPEN and not side.is_streaming for side in self.sides.values())


WORK_SECONDS = 1.8
"""Seconds for one message: a little less than Envoy waits for it (proxy/filters.py), so that our answer comes first."""


class BodyHandler:
    """Redacts bodies under the obligations that ext_authz left in the metadata.

    `idle` is how many seconds a body that is held back may pause, `work` how many the judging and
    recording of one message may take. With `require_record` the end of a body is not released
    before its RedactionRecord is durable.
    """

    def __init__(
        self,
        records: RecordLog,
        clock: Clock,
        *,
        require_record: bool = True,
        idle: float = 60.0,
        work: float = WORK_SECONDS,
    ) -> None:
        self._records = records
        self._clock = clock
        self._require_record = require_record
        self._idle = idle
        self._work = work
        self._late: set[asyncio.Task[None]] = set()

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Answer the ProcessingRequests of one stream with ProcessingResponses, as bytes.

        Returns only after Envoy has closed the stream and the end of every body was seen. Raises
        StreamAborted in every other case.
        """
        stream = _Stream(Allowance(self._clock, self._work))
        try:
            while (message := await self._next(messages, stream)) is not None:
                for reply in await self._answer(message, stream):
                    yield reply
            if not stream.is_complete:
                raise StreamAborted("the stream ended before its bodies did")
        finally:
            if stream.reading is not None:
                stream.reading.cancel()
            self._record_cut(stream)

    async def drain(self) -> None:
        """Wait until the records of streams that were cut off are written."""
        while self._late:
            await asyncio.wait(self._late)

    async def _next(self, messages: AsyncIterator[bytes], stream: _Stream) -> bytes | None:
        """The next message; None when Envoy closed its side; b"" when it stayed silent too long."""
        if stream.reading is None:
            stream.reading = asyncio.get_running_loop().create_task(_read(messages))
        finished, _ = await asyncio.wait({stream.reading}, timeout=self._idle if stream.waits else None)
        if not finished:
            if stream.answered:
                raise StreamAborted("Envoy did not hang up")
            return b""
        reading, stream.reading = stream.reading, None
        try:
            return reading.result()
        except Exception as fault:
            raise StreamAborted("the messages could not be read") from fault

    async def _answer(self, message: bytes, stream: _Stream) -> list[bytes]:
        if stream.answered:
            return []  # sent before Envoy saw our last word
        try:
            async with asyncio.timeout(self._work):
                return await self._judge(message, stream)
        except Refused as refused:
            return self._refuse(refused, stream)
        except TimeoutError:
            return self._refuse(Refused(Reason.DEADLINE_EXCEEDED, "judging took too long"), stream)
        except Exception as fault:  # noqa: BLE001  the last resort: whatever went wrong, the body does not pass
            # the text of an exception may quote the body; its place in the code does not
            where = "".join(traceback.format_tb(fault.__traceback__))
            _log.error("a body could not be processed: %s\n%s", type(fault).__name__, where)
            return self._refuse(Refused(Reason.INTERNAL_FAULT, type(fault).__name__), stream)

    async def _judge(self, message: bytes, stream: _Stream) -> list[bytes]:
        if not message:
            raise Refused(Reason.DEADLINE_EXCEEDED, "the body stopped coming")
        piece = read_piece(message)
        if stream.terms is None:
            stream.begin(piece)
        stream.target = piece.target
        side = stream.sides[piece.target]
        stream.allowance.renew()
        is_long = side.decodes or len(piece.body) + side.pending > THREAD_FROM
        if piece.part is not MessagePart.HEADERS and is_long:
            replies = await asyncio.to_thread(side.accept, piece)
        else:
            replies = side.accept(piece)
        if side.state is State.DONE and side.is_needed and piece.target not in stream.recorded:
            await self._record(stream, side, DONE)
        side.note_released(replies)
        return replies

    async def _record(self, stream: _Stream, side: Side, outcome: str) -> None:
        """Append the record of one direction. Raises Refused(RECORD_FAILED) where records are required."""
        stream.recorded.add(side.target)
        decision_id = stream.terms.decision_id if stream.terms is not None else ""
        record = RedactionRecord(decision_id, self._clock.now(), side.target.value, side.counts, outcome)
        try:
            await self._records.append(record)
        except Refused as refused:
            _log.error("a redaction record could not be written: %s", refused)
            if self._require_record:
                raise

    def _refuse(self, refused: Refused, stream: _Stream) -> list[bytes]:
        """End the exchange so that nothing more passes. Raises StreamAborted where no answer can do that."""
        side = stream.sides.get(stream.target)
        _log.warning("a body was withheld: %s", refused)
        if side is not None and refused.reason is not Reason.RECORD_FAILED:
            self._record_late(stream, side, f"withheld: {refused}")
        stream.answered = True
        if side is None or not side.released:
            answer = withheld(refused.reason, stream.target, stream.terms)
            return [
                immediate_reply(answer.status, answer.headers, answer.body, f"aegis_{refused.reason.value.lower()}")
            ]
        streams_out = side.is_streaming and side.target is Target.RESPONSE
        event = last_event(refused.reason, stream.terms) if stream.terms is not None and streams_out else None
        if event is None:
            raise StreamAborted("a body was withheld")
        return streamed(side.target, event, True)

    def _record_cut(self, stream: _Stream) -> None:
        for side in stream.sides.values():
            if side.state is State.OPEN and side.target not in stream.recorded:
                self._record_late(stream, side, "cut: the stream ended before the body did")

    def _record_late(self, stream: _Stream, side: Side, outcome: str) -> None:
        """Have a record written of a body that did not pass; nothing waits for it, not even its own stream."""
        task = asyncio.get_running_loop().create_task(self._try_to_record(stream, side, outcome))
        stream.recorded.add(side.target)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _try_to_record(self, stream: _Stream, side: Side, outcome: str) -> None:
        try:
            async with asyncio.timeout(self._work):
                await self._record(stream, side, outcome)
        except (Refused, TimeoutError) as fault:
            _log.error("the record of a withheld body could not be written: %s", type(fault).__name__)


async def _read(messages: AsyncIterator[bytes]) -> bytes | None:
    return await anext(messages, None)
