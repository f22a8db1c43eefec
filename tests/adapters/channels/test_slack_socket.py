"""Socket Mode against a server that speaks it as Slack documents it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aegis_authz.adapters.channels.slack_socket import SlackSocket
from tests.support.local_servers import serving
from tests.support.slack_socket import SlackSocketServer

PATIENCE = 20


class Link:
    """A server, and a socket to it that keeps what it takes."""

    def __init__(self, url: str, server: SlackSocketServer) -> None:
        self.server = server
        self.payloads: list[dict[str, Any]] = []
        self.is_full = False
        self.socket = SlackSocket(server.token, f"{url}/api", self._take, ping_every=0.2)

    def _take(self, payload: dict[str, Any]) -> bool:
        if not self.is_full:
            self.payloads.append(payload)
        return not self.is_full


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = SlackSocketServer()
    async with serving(server.handle) as url, asyncio.timeout(PATIENCE):
        link = Link(url, server)
        watch = asyncio.create_task(link.socket.watch())
        yield link
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        for connection in server.connections:
            await connection.close()


async def test_a_press_is_taken_and_acknowledged_within_three_seconds(link: Link) -> None:
    connection = await link.server.live(1)
    async with asyncio.timeout(3):
        await link.server.send(connection, "e1", {"type": "block_actions", "actions": []})
        await link.server.acknowledged["e1"].wait()
    assert link.payloads == [{"type": "block_actions", "actions": []}]
    assert link.server.strange == []


async def test_what_is_no_press_is_acknowledged_and_taken_by_nobody(link: Link) -> None:
    connection = await link.server.live(1)
    await link.server.send(connection, "e1", {"event": {"type": "message"}}, "events_api")
    await link.server.acknowledged["e1"].wait()
    assert link.payloads == []


async def test_what_cannot_be_taken_now_is_not_acknowledged_and_comes_again(link: Link) -> None:
    connection = await link.server.live(1)
    link.is_full = True
    await link.server.send(connection, "e1", {"type": "block_actions"})
    await link.server.send(connection, "e2", {}, "events_api")
    await link.server.acknowledged["e2"].wait()
    assert not link.server.acknowledged["e1"].is_set()
    link.is_full = False
    await link.server.send(connection, "e1", {"type": "block_actions"})
    await link.server.acknowledged["e1"].wait()
    assert link.payloads == [{"type": "block_actions"}]


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_a_connection_that_slack_ends_is_made_anew(link: Link, reason: str) -> None:
    first = await link.server.live(1)
    await first.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "h"}})
    second = await link.server.live(2)
    await link.server.send(second, "e1", {"type": "block_actions"})
    await link.server.acknowledged["e1"].wait()
    assert link.server.opened == 2


async def test_a_connection_that_breaks_is_made_anew(link: Link) -> None:
    first = await link.server.live(1)
    await first.close()
    second = await link.server.live(2)
    await link.server.send(second, "e1", {"type": "block_actions"})
    await link.server.acknowledged["e1"].wait()


async def test_a_token_that_is_refused_is_told_and_the_log_holds_neither_token_nor_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = SlackSocketServer(token="xapp-another")  # of a server of the test
    told = asyncio.Event()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    log = logging.getLogger("aegis_authz.adapters.channels.slack_socket")
    heard = Heard()
    log.addHandler(heard)
    async with serving(server.handle) as url, asyncio.timeout(PATIENCE):
        watch = asyncio.create_task(SlackSocket("xapp-test", f"{url}/api", lambda _: True, 0.2).watch())
        await told.wait()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    log.removeHandler(heard)
    words = [record.getMessage() for record in caplog.records if record.name == log.name]
    assert "the socket to Slack has trouble: invalid_auth" in words
    assert not [text for text in words if "xapp-" in text or "127.0.0.1" in text]
    library = logging.getLogger(f"{log.name}.library")  # what it says itself holds addresses, and reaches nobody
    assert not library.propagate
    assert [type(handler).__name__ for handler in library.handlers if "pytest" not in type(handler).__module__] == [
        "_Trouble"
    ]
