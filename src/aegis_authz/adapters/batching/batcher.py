"""Questions that arrive together are asked together."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from aegis_authz.core.cadence import Cadence
from aegis_authz.core.units import Monotonic

_WORTH = 4.0  # questions within a window that are worth waiting for

Question = TypeVar("Question")
Reply = TypeVar("Reply")

Send = Callable[[list[Question], Monotonic], Awaitable[Sequence[Reply | Exception]]]
"""Asks a batch before the deadline given; one reply a question, or the exception for it alone."""


class _Waiting(Generic[Question, Reply]):
    # no dataclass: a generic one cannot be compiled
    def __init__(self, question: Question, reply: asyncio.Future[Reply], deadline: Monotonic) -> None:
        self.question = question
        self.reply = reply
        self.deadline = deadline


class Batcher(Generic[Question, Reply]):
    """Gathers questions into batches of at most `max_batch`, of which at most `max_under_way` are being asked.

    A question goes out at the end of the turn of the loop it came in, so that an idle server delays nobody and
    calls read from the socket together go together. When so many come that four or more are expected within
    `window` seconds, batches start that far apart; and while there is no room for another batch questions wait
    for the next one to end.
    """

    def __init__(self, send: Send[Question, Reply], max_batch: int, max_under_way: int, window: float = 0.0) -> None:
        self._send = send
        self._max_batch = max_batch
        self._max_under_way = max_under_way
        self._window = window
        self._waiting: list[_Waiting[Question, Reply]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._flush_is_due = False
        self._cadence = Cadence(window, _WORTH)
        self._deadlines = _Deadlines()

    async def ask(self, question: Question, deadline: Monotonic) -> Reply:
        """The reply to one question. Raises TimeoutError at the deadline, and what `send` says of this question."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if deadline <= now:  # one that is asked again: nobody would hear what came of it, and its token would be spent
            raise TimeoutError
        reply: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append(_Waiting(question, reply, deadline))
        self._deadlines.add(reply, deadline, loop)
        self._cadence.came(now)
        if not self._flush_is_due:
            self._flush_is_due = True
            self._schedule(loop, now, deadline)
        elif len(self._waiting) == self._max_batch:
            loop.call_soon(self._flush)
        return await reply

    async def drain(self) -> None:
        """Wait until nothing is under way any more."""
        self._flush()
        while self._under_way:
            await asyncio.gather(*self._under_way)

    def _schedule(self, loop: asyncio.AbstractEventLoop, now: float, deadline: float) -> None:
        begins = self._cadence.next_start(now)
        if begins > now and deadline - now > 2 * self._window:
            loop.call_at(begins, self._flush)
        else:
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._waiting and len(self._under_way) < self._max_under_way:
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            # who gave up while waiting must not be asked for behind its back: its token would be spent
            batch = [waiting for waiting in batch if not waiting.reply.done()]
            if batch:
                loop = asyncio.get_running_loop()
                self._cadence.began(loop.time())
                task = loop.create_task(self._ask(batch))
                self._under_way.add(task)
                task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if self._waiting and not self._flush_is_due:
            self._flush()

    async def _ask(self, batch: list[_Waiting[Question, Reply]]) -> None:
        replies: Sequence[Reply | Exception]
        try:
            replies = await self._send(
                [waiting.question for waiting in batch], max(waiting.deadline for waiting in batch)
            )
        except Exception as fault:  # noqa: BLE001  # a bug: handed on to every call that waits
            replies = [fault] * len(batch)
        for waiting, reply in zip(batch, replies, strict=True):
            if waiting.reply.done():
                continue
            if isinstance(reply, Exception):
                waiting.reply.set_exception(reply)
            else:
                waiting.reply.set_result(reply)


class _Deadlines:
    """Ends what is not answered in time; one timer for all, because a timer for each costs more than the wait."""

    def __init__(self) -> None:
        self._pending: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, reply: asyncio.Future[Any], deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        if deadline == math.inf:
            return  # no timer would ever come by to forget it
        self._pending.append((reply, deadline))
        if deadline < self._rings_at:
            self._rest_until(deadline, loop)

    def _rest_until(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = loop.call_at(deadline, self._end_late_ones), deadline

    def _end_late_ones(self) -> None:
        loop = asyncio.get_running_loop()
        now, pending = loop.time(), self._pending
        self._timer, self._rings_at, self._pending = None, math.inf, deque()
        for reply, deadline in pending:
            if reply.done():
                continue
            if deadline <= now:
                reply.set_exception(TimeoutError())
            else:
                self._pending.append((reply, deadline))
        if self._pending:
            self._rest_until(min(deadline for _, deadline in self._pending), loop)
