"""What all players of Python share: lines in and out, and tool calls as a case has them (sdk/conformance/README.md)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aegis_agent import AegisDenied, AegisError, ApprovalNeeded


class Cannot(Exception):
    """The client or framework cannot play the case; the message says why."""


class Case:
    """A case that is played: its line, and what the runner says meanwhile."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.id: int = line["id"]
        self.name: str = line["case"]
        self.environment: dict[str, str] = line["environment"]
        self.base: str = line["base"]
        self.calls: list[dict[str, Any]] = line["calls"]
        self.is_together: bool = line["together"]
        self.tries = 2 if line["resend"] else 1
        self.decision = asyncio.Event()
        """Set once somebody has decided about the held call."""
        self.cancellation = asyncio.Event()

    def tell_held(self, held: ApprovalNeeded | str) -> None:
        """Tell the person."""
        say({"id": self.id, "held": held if isinstance(held, str) else held.approval_id})


CANCELLED = [{"error": "cancelled"}], [""]
"""What a run that was given up gives."""

Play = Callable[[Case], Awaitable[tuple[list[dict[str, Any]], list[str]]]]
"""Gives what the program got and what the model was shown, one of each a call."""


def say(line: dict[str, Any]) -> None:
    """One line to the runner."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def got_of(error: BaseException) -> dict[str, Any]:
    """An error, as a case names it."""
    if isinstance(error, asyncio.CancelledError):
        return {"error": "cancelled"}
    got: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, AegisDenied):
        got |= {"reason": error.reason, "retryable": error.retryable, "retry_after": error.retry_after}
    return got


async def outcome(call: Awaitable[Any]) -> tuple[dict[str, Any], str]:
    """What the program got of one call, and the text that it has for a model."""
    try:
        result = await call
    except AegisError as error:
        return got_of(error), str(error)
    except asyncio.CancelledError as error:
        return got_of(error), ""
    return {"result": result}, json.dumps(result)


async def outcomes(case: Case, call: Callable[[dict[str, Any]], Awaitable[Any]]) -> Any:
    """What comes of all calls of a case, each made by `call`; given up when the runner says so."""
    work = [lambda each=each: outcome(call(each)) for each in case.calls]
    if case.is_together:
        pairs = await asyncio.gather(*(begin() for begin in work))
    else:
        pairs = [await unless_cancelled(case, begin()) for begin in work]
    return [got for got, _ in pairs], [shown for _, shown in pairs]


async def unless_cancelled(case: Case, work: Awaitable[Any]) -> Any:
    """What comes of this work. Raises CancelledError when the runner has it given up."""
    task = asyncio.ensure_future(work)
    cancelling = asyncio.ensure_future(_cancel(case, task))
    try:
        return await task
    finally:
        cancelling.cancel()


async def _cancel(case: Case, task: asyncio.Future[Any]) -> None:
    await case.cancellation.wait()
    task.cancel()


def run(play: Play) -> None:
    """Play the cases of standard input."""
    asyncio.run(_run(play))


async def _run(play: Play) -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    case: Case | None = None
    tasks: set[asyncio.Task[None]] = set()
    async for text in reader:
        line = json.loads(text)
        if "case" in line:
            case = Case(line)
            tasks.add(task := asyncio.create_task(_play(play, case)))
            task.add_done_callback(tasks.discard)
        elif case is not None:
            (case.decision if "decided" in line else case.cancellation).set()
    for task in tasks:
        task.cancel()


async def _play(play: Play, case: Case) -> None:
    try:
        got, shown = await play(case)
    except Cannot as why:
        say({"id": case.id, "cannot": str(why)})
    except Exception as fault:  # the bottom of the process: the runner prints it
        say({"id": case.id, "got": [{"fault": repr(fault)}], "shown": [repr(fault)]})
        raise
    else:
        say({"id": case.id, "got": got, "shown": shown})
