from __future__ import annotations

import asyncio
import gc
import math
import time
import weakref
from collections.abc import Sequence

import pytest

from aegis_authz.adapters.batching.batcher import Batcher


class Server:
    """Answers when the gate is open; keeps what it was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def send(self, questions: list[str], deadline: float) -> Sequence[str | Exception]:
        self.batches.append(questions)
        self.asked.set()
        await self.gate.wait()
        if "bug" in questions:
            raise ZeroDivisionError
        return [ValueError(question) if question == "bad" else question.upper() for question in questions]


def soon() -> float:
    return time.monotonic() + 5


async def test_questions_of_one_turn_go_together_and_each_gets_its_reply() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    assert await asyncio.gather(*(batcher.ask(question, soon()) for question in "abc")) == ["A", "B", "C"]
    assert server.batches == [["a", "b", "c"]]


async def test_while_one_batch_is_under_way_the_others_gather_up_to_the_limit() -> None:
    server = Server()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=2, max_under_way=1)
    asks = [asyncio.create_task(batcher.ask(question, soon())) for question in "abcde"]
    await asyncio.wait_for(server.asked.wait(), 5)
    server.gate.set()
    assert await asyncio.gather(*asks) == ["A", "B", "C", "D", "E"]
    assert server.batches == [["a", "b"], ["c", "d"], ["e"]]


async def test_the_exception_of_one_question_is_its_own() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    replies = await asyncio.gather(batcher.ask("a", soon()), batcher.ask("bad", soon()), return_exceptions=True)
    assert replies[0] == "A"
    assert isinstance(replies[1], ValueError)


async def test_a_bug_reaches_every_question_of_its_batch_and_the_next_batch_works() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    replies = await asyncio.gather(batcher.ask("a", soon()), batcher.ask("bug", soon()), return_exceptions=True)
    assert [type(reply) for reply in replies] == [ZeroDivisionError, ZeroDivisionError]
    assert await batcher.ask("b", soon()) == "B"


async def test_who_gives_up_is_not_asked_for_behind_its_back() -> None:
    server = Server()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    first = asyncio.create_task(batcher.ask("a", soon()))
    await asyncio.wait_for(server.asked.wait(), 5)
    with pytest.raises(TimeoutError):
        await batcher.ask("late", time.monotonic() + 0.01)
    server.gate.set()
    assert await first == "A"
    await batcher.drain()
    assert server.batches == [["a"]]


async def test_drain_waits_for_what_is_under_way() -> None:
    server = Server()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    ask = asyncio.create_task(batcher.ask("a", soon()))
    await asyncio.wait_for(server.asked.wait(), 5)
    drain = asyncio.create_task(batcher.drain())
    server.gate.set()
    await asyncio.wait_for(drain, 5)
    assert await ask == "A"


async def asked_in_turns(batcher: Batcher[str, str], questions: str, deadline: float) -> list[str]:
    """One question in each turn of the loop."""
    asks = []
    for question in questions:
        asks.append(asyncio.create_task(batcher.ask(question, deadline)))
        await asyncio.sleep(0)
    return list(await asyncio.gather(*asks))


async def test_an_idle_server_is_asked_at_once_whatever_the_window() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1, window=60)
    assert await asyncio.wait_for(batcher.ask("a", time.monotonic() + 600), 5) == "A"


async def test_when_many_questions_come_batches_start_a_window_apart() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=64, max_under_way=4, window=0.1)
    assert await asked_in_turns(batcher, "abcdefgh", soon()) == list("ABCDEFGH")
    assert len(server.batches) == 3  # two are not many yet


async def test_a_full_batch_does_not_wait_for_the_window() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=4, max_under_way=4, window=60)
    asks = asked_in_turns(batcher, "abcdefghi", time.monotonic() + 600)
    assert await asyncio.wait_for(asks, 5) == list("ABCDEFGHI")


async def test_a_question_with_little_time_left_does_not_wait_for_the_window() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=64, max_under_way=4, window=60)
    assert await asyncio.wait_for(asked_in_turns(batcher, "abcdefgh", soon()), 5) == list("ABCDEFGH")


async def test_each_question_ends_at_its_own_deadline() -> None:
    server = Server()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    patient = asyncio.create_task(batcher.ask("patient", soon()))
    await asyncio.wait_for(server.asked.wait(), 5)
    for seconds in (0.03, 0.01, 0.02, -1):
        with pytest.raises(TimeoutError):
            await batcher.ask("late", time.monotonic() + seconds)
    server.gate.set()
    assert await patient == "PATIENT"


async def test_a_question_whose_deadline_is_past_is_not_asked() -> None:
    server = Server()
    server.gate.set()
    batcher: Batcher[str, str] = Batcher(server.send, max_batch=8, max_under_way=1)
    with pytest.raises(TimeoutError):
        await batcher.ask("late", time.monotonic() - 1)
    assert await batcher.ask("a", soon()) == "A"
    assert server.batches == [["a"]]


async def test_of_what_was_answered_nothing_is_kept_where_questions_have_no_deadline() -> None:
    async def send(questions: list[str], _deadline: float) -> Sequence[Server | Exception]:
        return [Server() for _ in questions]

    batcher: Batcher[str, Server] = Batcher(send, max_batch=8, max_under_way=1)
    reply = weakref.ref(await batcher.ask("a", math.inf))
    await batcher.drain()
    gc.collect()
    assert reply() is None
