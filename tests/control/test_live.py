"""Live updates: sent when something is another, to whoever may still read it, and ended with the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.live import Streams, event
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.event_streams import event_stream_of
from tests.support.people import by, person, with_people

Serving = Callable[..., AbstractAsyncContextManager[str]]
SECOND = "apr_0a00000000000000000000000000000002"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    people = (person("eva", "approver@acme/emea"), person("gus", "approver@globex"), person("vic", "viewer"))
    return with_people(new_plane(approvals=store), *people)


def events(url: str, name: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
    return event_stream_of(url, name, "/approvals/events")


async def test_a_call_that_is_held_and_one_that_is_decided_are_sent_at_once(
    plane: ControlServices, store: MemoryStore, serving: Serving
) -> None:
    async with serving(plane) as url, events(url, "eva") as stream, asyncio.timeout(30):
        assert "Nothing waits for you." in await anext(stream)
        await hold(store)
        block = await anext(stream)
        assert block.startswith("event: approvals\ndata: ")
        assert f"/approvals/{HELD}" in block
        await store.decide(HELD, ApprovalState.DENIED, "ann", Epoch(SystemClock().now()))
        assert HELD not in await anext(stream)


async def test_what_waits_in_another_tenant_is_not_sent(
    plane: ControlServices, store: MemoryStore, serving: Serving
) -> None:
    async with serving(plane) as url, events(url, "gus") as gus, events(url, "eva") as eva, asyncio.timeout(30):
        assert "Nothing waits" in await anext(gus)
        assert "Nothing waits" in await anext(eva)
        await hold(store)
        assert HELD in await anext(eva)
        await hold(store, SECOND, jti="j2", agent=Scope("globex", "emea", "bot"))
        block = await anext(gus)
        assert SECOND in block
        assert HELD not in block


async def test_a_viewer_gets_no_stream(plane: ControlServices, serving: Serving) -> None:
    async with serving(plane) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/approvals/events", headers=by("vic"))).status_code == 403
        assert (await client.get("/approvals/events")).status_code == 401


async def test_a_server_that_stops_ends_its_streams(plane: ControlServices, serving: Serving) -> None:
    async with asyncio.timeout(30):
        async with serving(plane) as url:
            context = events(url, "eva")
            stream = await context.__aenter__()
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await context.__aexit__(None, None, None)


def test_a_person_has_so_many_streams_and_keeps_nobody_else_out() -> None:
    streams = Streams()
    places = [streams.place("eva") for _ in range(12)]
    for place in places:
        streams.require_place("eva")
        place.__enter__()
    with pytest.raises(HttpProblem) as caught:
        streams.require_place("eva")
    assert caught.value.status == 429
    streams.require_place("gus")
    for place in places:
        place.__exit__(None, None, None)
    streams.require_place("eva")


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nevent: x\n\ndata: y", "a\rb"])
def test_a_text_of_an_event_begins_no_other(text: str) -> None:
    lines = event("approvals", text).decode().split("\n")
    assert lines[0] == "event: approvals"
    assert all(line.startswith("data: ") and "\r" not in line for line in lines[1:-2])
    assert lines[-2:] == ["", ""]
