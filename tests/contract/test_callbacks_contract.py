"""What keeps callbacks of access requests: the memory twin, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.callbacks import SqlCallbacks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.ports.callbacks import Callbacks
from aegis_authz.testing.callbacks import MemoryCallbacks
from tests.support.real_postgres import database_url

URL = "https://agents.example.com/callbacks"
WANTED = Callback("apr_1", URL, "pep", "\u00e9 state", frozenset({"denied"}), CallbackState.WATCHING, 0, "")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def callbacks(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callbacks]:
    if request.param == "memory":
        yield MemoryCallbacks(for_tests=True)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield SqlCallbacks(database)
    await database.close()


async def test_the_last_word_of_a_person_about_a_task_counts_until_it_is_settled(callbacks: Callbacks) -> None:
    last = replace(WANTED, echo=None, events=frozenset({"approved", "denied"}))
    await callbacks.enter(WANTED)
    await callbacks.enter(replace(WANTED, person="other"))
    await callbacks.enter(last)
    assert await callbacks.watching() == [last, replace(WANTED, person="other")]
    await callbacks.settle(last, 10.0)
    await callbacks.enter(WANTED)
    assert await callbacks.claim(URL, 10.0, 20.0) == replace(last, state=CallbackState.DUE, attempts=1)


async def test_what_is_due_longest_comes_first_and_to_one_alone(callbacks: Callbacks) -> None:
    names = ("apr_1", "apr_2", "apr_3")
    for number, name in enumerate(names):
        await callbacks.enter(replace(WANTED, task_id=name))
        await callbacks.settle(replace(WANTED, task_id=name), 10.0 + number)
    assert await callbacks.claim("https://other.example", 99.0, 99.0) is None
    claims = await asyncio.gather(*(callbacks.claim(URL, 11.0, 31.0) for _ in range(4)))
    assert sorted(claim.task_id for claim in claims if claim is not None) == ["apr_1", "apr_2"]
    again = [await callbacks.claim(URL, 32.0, 52.0) for _ in range(4)]
    counts = {claim.task_id: claim.attempts for claim in again if claim is not None}
    assert counts == {"apr_1": 2, "apr_2": 2, "apr_3": 1}


async def test_what_is_over_is_never_claimed_again(callbacks: Callbacks) -> None:
    for name in ("apr_1", "apr_2", "apr_3", "apr_4"):
        await callbacks.enter(replace(WANTED, task_id=name))
    watched = await callbacks.watching()
    for callback in watched[:2]:
        await callbacks.settle(callback, 10.0)
    delivered, given_up = [await callbacks.claim(URL, 10.0, 11.0) for _ in range(2)]
    assert delivered is not None
    assert given_up is not None
    await callbacks.complete(delivered, 11.0)
    await callbacks.abandon(given_up, "HTTP 404", 11.0)
    await callbacks.dismiss(watched[2], 11.0)
    await callbacks.abandon(watched[3], "nobody is there", 11.0)
    assert await callbacks.watching() == []
    assert await callbacks.claim(URL, 1000.0, 1001.0) is None


async def test_when_the_next_one_can_be_claimed_is_known(callbacks: Callbacks) -> None:
    second = replace(WANTED, task_id="apr_2")
    await callbacks.enter(WANTED)
    assert await callbacks.next_due(URL) is None
    await callbacks.settle(WANTED, 10.0)
    await callbacks.enter(second)
    await callbacks.settle(second, 30.0)
    seen = [await callbacks.next_due(URL)]
    first = await callbacks.claim(URL, 10.0, 20.0)
    assert first is not None
    seen.append(await callbacks.next_due(URL))
    await callbacks.complete(first, 11.0)
    seen.append(await callbacks.next_due(URL))
    last = await callbacks.claim(URL, 30.0, 40.0)
    assert last is not None
    await callbacks.postpone(last, "HTTP 503", 50.0)
    seen.append(await callbacks.next_due(URL))
    again = await callbacks.claim(URL, 50.0, 60.0)
    assert again is not None
    await callbacks.abandon(again, "HTTP 404", 51.0)
    assert seen == [10.0, 20.0, 30.0, 50.0]
    assert [await callbacks.next_due(place) for place in (URL, "https://other.example")] == [None, None]


async def test_what_is_postponed_comes_when_it_is_due_and_says_what_was_wrong(callbacks: Callbacks) -> None:
    await callbacks.enter(WANTED)
    await callbacks.settle(WANTED, 10.0)
    first = await callbacks.claim(URL, 10.0, 11.0)
    assert first is not None
    await callbacks.postpone(first, "HTTP 503", 50.0)
    assert await callbacks.claim(URL, 49.0, 60.0) is None
    second = await callbacks.claim(URL, 50.0, 60.0)
    assert second is not None
    assert (second.trouble, second.attempts) == ("HTTP 503", 2)
    await callbacks.complete(first, 51.0)  # of a claim that ran out
    third = await callbacks.claim(URL, 60.0, 70.0)
    assert third is not None
    assert third.attempts == 3


async def test_after_a_restart_what_was_under_way_is_due_at_once(callbacks: MemoryCallbacks | SqlCallbacks) -> None:
    await callbacks.enter(WANTED)
    await callbacks.settle(WANTED, 10.0)
    assert await callbacks.claim(URL, 10.0, 90.0) is not None
    await callbacks.end_claims(11.0)
    assert await callbacks.claim(URL, 11.0, 90.0) is not None
