"""How each process of the mesh says that it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aegis_authz.local.process import Ready

_TIMEOUT = 1.0
_MOST_BYTES = 4096
_SHOWN = 300

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Connect = Callable[[], Coroutine[Any, Any, _Streams]]


def mesh_checks(run: Path, control_port: int, workers: int) -> dict[str, Ready]:
    """The check of every process by its name, in the order of their start. `run` is the folder of sockets."""
    return {
        "redis": redis_answers(run / "redis.sock"),
        "control": port_answers(control_port, "/readyz"),
        "opa": socket_answers(run / "opa.sock", "/health?bundles"),
        **{f"authz-{n}": socket_answers(run / f"ready-{n}.sock", "/readyz") for n in range(workers)},
        "envoy": socket_answers(run / "envoy.sock", "/ready"),
    }


def redis_answers(socket: Path) -> Ready:
    """Ready when Redis answers PING on its socket."""

    async def look() -> str:
        said = await _exchange(lambda: asyncio.open_unix_connection(str(socket)), b"PING\r\nQUIT\r\n")
        return "" if said.startswith("+PONG") else said

    return look


def socket_answers(socket: Path, target: str) -> Ready:
    """Ready when GET `target` gives 200 on a unix socket."""
    return _http_answers(lambda: asyncio.open_unix_connection(str(socket)), target)


def port_answers(port: int, target: str) -> Ready:
    """Ready when GET `target` gives 200 on a loopback port."""
    return _http_answers(lambda: asyncio.open_connection("127.0.0.1", port), target)


def _http_answers(connect: _Connect, target: str) -> Ready:
    # By hand: looked at every few milliseconds during a start, and an HTTP client costs more than the server.
    question = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii")

    async def look() -> str:
        said = await _exchange(connect, question)
        protocol, _, rest = said.partition(" ")
        if not protocol.startswith("HTTP/"):
            return said
        if rest.startswith("200 "):
            return ""
        return f"answers {rest.partition(' ')[0]}: {rest.partition(_BLANK_LINE)[2].strip()[:_SHOWN]}"

    return look


_BLANK_LINE = "\r\n\r\n"


async def _exchange(connect: _Connect, question: bytes) -> str:
    """What is answered, or why nothing is."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await connect()
            try:
                writer.write(question)
                said = b""
                while len(said) < _MOST_BYTES and (more := await reader.read(_MOST_BYTES)):
                    said += more
            finally:
                writer.close()
    except (OSError, TimeoutError) as fault:
        return f"does not answer: {type(fault).__name__}"
    return said.decode("utf-8", "replace").strip() or "closes the connection"
