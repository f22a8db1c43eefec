"""Questions that arrive together are asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")
Reply = TypeVar("Reply")

Send = Callable[[list[Question], float], Awaitable[Sequence[Reply | Exception]]]
"""Asks a batch before the deadline given (monotonic seconds); one reply a question, or the exception for it alone."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Question, Reply]):
    question: Question
    reply: asyncio.Future[Reply]
    deadline: float


class Batcher(Generic[Question, Reply]):
    """Gathers questions into batches of at most `max_batch`, of which at most `max_under_way` are being asked.

    While there is room a question goes out at the end of the turn of the loop it came in, so that an idle
    server delays nobody and calls read from the socket together go together; otherwise it waits for the
    next batch to end.
    """

    def __init__(self, send: Send[Question, Reply], max_batch: int, max_under_way: int) -> None:
        self._send = send
        self._max_batch = max_batch
        self._max_under_way = max_under_way
        self._waiting: list[_Waiting[Question, Reply]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._flush_is_due = False

    async def ask(self, question: Question, deadline: float) -> Reply:
        """The reply to one question. Raises TimeoutError at the deadline, and what `send` says of this question."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Question, Reply] = _Waiting(question, loop.create_future(), deadline)
        self._waiting.append(waiting)
        if not self._flush_is_due:
            self._flush_is_due = True
            loop.call_soon(self._flush)
        async with asyncio.timeout_at(deadline):
            return await waiting.reply

    async def drain(self) -> None:
        """Wait until nothing is under way any more."""
        self._flush()
        while self._under_way:
            await asyncio.gather(*self._under_way)

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._waiting and len(self._under_way) < self._max_under_way:
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            # who gave up while waiting must not be asked for behind its back: its token would be spent
            batch = [waiting for waiting in batch if not waiting.reply.done()]
            if batch:
                task = asyncio.get_running_loop().create_task(self._ask(batch))
                self._under_way.add(task)
                task.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
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
