"""A call that blocks for long, made beside asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(call: Callable[[], T], unused: Callable[[T], object]) -> T:
    """What `call` returns or raises, from a thread of its own.

    asyncio's own threads are few, and shared with whatever else the program does: a call that waits for a person would
    keep them from all others, and the program from its end. `unused` gets, in a thread, a result that came once nobody
    waited for it any more.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(result: T) -> None:
        if answer.cancelled():
            _start(lambda: unused(result))
        else:
            answer.set_result(result)

    def fail(fault: BaseException) -> None:
        if not answer.cancelled():
            answer.set_exception(fault)

    def run() -> None:
        try:
            result = context.run(call)
        except BaseException as fault:  # noqa: BLE001  # whatever it is, it is raised where the call was made
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to hear of it
                loop.call_soon_threadsafe(fail, fault)
            return
        try:
            loop.call_soon_threadsafe(deliver, result)
        except RuntimeError:
            unused(result)

    _start(run)
    try:
        return await answer
    except asyncio.CancelledError:
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            result = answer.result()
            _start(lambda: unused(result))
        raise


def _start(run: Callable[[], object]) -> None:
    threading.Thread(target=run, name="aegis", daemon=True).start()
