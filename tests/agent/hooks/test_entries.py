"""What settings say of the door: a client's command lets a decision through, and stops at all else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from aegis_authz.agent.hooks.dialects import Dialect, allowed, refused
from aegis_authz.agent.hooks.entries import HOOK_KINDS, hook_command, hook_entry, version_of

BY_COMMAND = [Dialect.CODEX, Dialect.CURSOR]
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def door(answer: Answer) -> AsyncIterator[str]:
    """A server that reads a request and answers it by hand."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-l"))
        await reader.readexactly(length)
        await answer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/hooks/x"


def saying(body: bytes, status: int = 200) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()

    return answer


async def run(dialect: Dialect, url: str, seconds: int = 30) -> tuple[int | None, bytes]:
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", hook_command(dialect, url, seconds), stdin=pipe, stdout=pipe, env=environment
    )
    printed, _ = await process.communicate(b'{"tool_name":"Bash"}')
    return process.returncode, printed


@pytest.mark.parametrize("dialect", BY_COMMAND)
async def test_a_decision_comes_through_letter_for_letter(dialect: Dialect) -> None:
    for decision in (allowed(dialect), refused(dialect, 'It\'s "no" $(id) `id` \\ %s *')):
        async with door(saying(decision)) as url:
            assert await run(dialect, url) == (0, decision)


@pytest.mark.parametrize("dialect", BY_COMMAND)
@pytest.mark.parametrize(
    "garbage",
    [b"", b"ok", b"<html>", b"{ }", b'{"decision":"allow"}', b"{}{}", b'{"permission":"ask"}', b"null", b"{}\x00x"],
)
async def test_garbage_stops_the_call(dialect: Dialect, garbage: bytes) -> None:
    async with door(saying(garbage)) as url:
        code, printed = await run(dialect, url)
    assert (code, printed) == (2, b"")


@pytest.mark.parametrize("dialect", BY_COMMAND)
async def test_a_fault_a_cut_and_a_door_that_is_gone_stop_the_call(dialect: Dialect) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + allowed(dialect))

    for answer in (*(saying(allowed(dialect), status) for status in (302, 403, 500)), cut):
        async with door(answer) as url:
            assert await run(dialect, url) == (2, b"")
    assert await run(dialect, url) == (2, b"")


@pytest.mark.parametrize("dialect", BY_COMMAND)
async def test_a_slow_door_stops_the_call_before_its_client_gives_up(dialect: Dialect) -> None:
    end = asyncio.Event()

    async def dawdle(writer: asyncio.StreamWriter) -> None:
        await end.wait()

    async with door(dawdle) as url:
        assert await run(dialect, url, seconds=6) == (2, b"")
        end.set()


def test_each_client_has_its_own_word_for_failing_closed() -> None:
    url = "http://127.0.0.1:7171/v1/hooks/x"
    claude = hook_entry(Dialect.CLAUDE_CODE, url, 60)
    assert claude == {"hooks": [{"type": "http", "url": url, "timeout": 60, "onFailure": "block"}]}
    assert hook_entry(Dialect.CURSOR, url, 60)["failClosed"] is True
    assert "|| exit 2" in json.dumps(hook_entry(Dialect.CODEX, url, 60))
    assert set(HOOK_KINDS) == set(Dialect)


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("2.1.295 (Claude Code)\n", (2, 1, 295)),
        ("codex-cli 0.124.0", (0, 124, 0)),
        ("3.9.16\nabc\nx64", (3, 9, 16)),
        ("", None),
    ],
)
def test_a_version_is_read_from_what_a_client_prints(printed: str, version: tuple[int, int, int] | None) -> None:
    assert version_of(printed) == version
