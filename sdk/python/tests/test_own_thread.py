"""Questions that are kept open: what else the program does goes on, and what nobody takes any more is given back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from aegis_agent import Aegis
from aegis_agent.enrolment import Enrolment
from aegis_agent.key import AgentKey
from aegis_agent.own_thread import in_own_thread
from tests.support.agent_mesh import AGENT, SmallMesh, new_key

MANY = 40
"""More than asyncio has threads."""


@dataclass
class SlowJudge:
    """Stands for the evaluation endpoint: it allows everything once `gate` is open, and keeps what it is told."""

    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    outcomes: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.content.read())
        if request.path == "/access/v1/outcome":
            self.outcomes.put_nowait(body)
            return web.json_response({"outcome": body["outcome"]})
        self.asked.release()
        await self.gate.wait()
        context = {"decision_id": "d", "effect": "allow", "outcome": {"ticket": "t"}}
        return web.json_response({"decision": True, "context": context})


@pytest_asyncio.fixture
async def judge() -> AsyncIterator[tuple[SlowJudge, str]]:
    """The endpoint and its URL."""
    slow = SlowJudge()
    runner = web.ServerRunner(web.Server(slow), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield slow, f"http://127.0.0.1:{runner.addresses[0][1]}"
    slow.gate.set()
    await runner.cleanup()


@pytest_asyncio.fixture
async def asking(small: SmallMesh, judge: tuple[SlowJudge, str]) -> AsyncIterator[Aegis]:
    """An agent whose functions the endpoint judges."""
    key = new_key()
    small.enrol(key)
    enrolment = Enrolment(str(AGENT), Path(), f"{small.url}/v1/token", small.url, small.url, "", judge[1])
    async with Aegis(enrolment, AgentKey(key), approval_wait=300) as agent:
        yield agent


async def test_many_questions_that_are_kept_open_leave_the_threads_of_asyncio_to_others(
    asking: Aegis, judge: tuple[SlowJudge, str]
) -> None:
    slow, _ = judge
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        questions = [group.create_task(asking.evaluate_async("people", "find", {"n": n})) for n in range(MANY)]
        for _ in questions:
            await slow.asked.acquire()
        assert await asyncio.to_thread(lambda: "done") == "done"
        slow.gate.set()
    assert {question.result().decision_id for question in questions} == {"d"}


async def test_what_was_permitted_to_a_task_that_is_cancelled_is_given_back(
    asking: Aegis, judge: tuple[SlowJudge, str]
) -> None:
    slow, _ = judge
    pay = asking.wrap(_never_called, tool="people", action="find")
    async with asyncio.timeout(30):
        question = asyncio.create_task(pay())
        await slow.asked.acquire()
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        slow.gate.set()
        assert await slow.outcomes.get() == {"ticket": "t", "outcome": "not_called"}


async def _never_called() -> None:
    raise AssertionError("called")


async def test_what_the_call_raises_is_raised() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_own_thread(broken, _nothing)


def test_a_loop_that_is_closed_meanwhile_gets_no_result() -> None:
    gate, taken = threading.Event(), threading.Event()

    def late() -> str:
        assert gate.wait(30)
        return "late"

    async def left() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_own_thread(late, setter(taken)), 0.01)

    asyncio.run(left())
    gate.set()
    assert taken.wait(30)


def setter(event: threading.Event) -> Callable[[object], None]:
    """Sets the event for any result."""
    return lambda _: event.set()


def _nothing(_: object) -> None:
    """Nobody left."""
