"""How each process of the mesh says that it is ready."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aegis_authz.core.address import TcpAddress, UnixAddress, read_address
from aegis_authz.local.process import Ready

_TIMEOUT = 1.0
_MOST_BYTES = 4096
_EXCERPT = 300
_BLANK_LINE = "\r\n\r\n"
_WATCHED = r"cluster_manager\.cds|listener_manager\.lds|http\.[a-z0-9-]+\.rds\.[a-z0-9-]+"
_XDS = rf"^({_WATCHED})\.(update_success|version_text)$"
_COUNT = re.compile(r"^([a-z0-9_.-]+)\.update_success: (\d+)\r?$", re.MULTILINE)
_RUNS = re.compile(r'^([a-z0-9_.-]+)\.version_text: "([^"\n]*)"\r?$', re.MULTILINE)
_WRITTEN = re.compile(r"version_info: '?([^'\s]+)'?\s*\n")
_LISTENERS = "listener_manager.lds"
_FIRST_TEXT = 0x0A
_FILES = {
    "cluster_manager.cds": "cds.yaml",
    _LISTENERS: "lds.pb",
    "http.forward.rds.forward": "rds-forward.yaml",
    "http.reverse.rds.reverse": "rds-reverse.yaml",
}
"""What every Envoy watches, by the name of its counters; a listener of one agent watches a file of its own name."""

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Connect = Callable[[], Coroutine[Any, Any, _Streams]]


def mesh_checks(run: Path, xds: Path, control_port: int, workers: int, prometheus_port: int) -> dict[str, Ready]:
    """The check of every process by its name, in the order of their start.

    `run` is the folder of sockets, `xds` that of the routes and clusters which Envoy watches.
    """
    return {
        "redis": redis_answers(run / "redis.sock"),
        "control": port_answers(control_port, "/readyz"),
        "opa": socket_answers(run / "opa.sock", "/health?bundles"),
        **{f"authz-{n}": socket_answers(run / f"ready-{n}.sock", "/readyz") for n in range(workers)},
        "certificates": socket_answers(run / "certs-up.sock", "/readyz"),
        "prometheus": port_answers(prometheus_port, "/-/ready"),
        "echo": socket_answers(run / "echo.sock", "/readyz"),
        "envoy": envoy_routes(run / "envoy.sock", xds),
    }


def redis_answers(socket: Path) -> Ready:
    """Ready when Redis answers PING on its socket."""

    async def look() -> str:
        answer = await _exchange(lambda: asyncio.open_unix_connection(str(socket)), b"PING\r\nQUIT\r\n")
        return "" if answer.startswith("+PONG") else answer

    return look


def socket_answers(socket: Path, target: str) -> Ready:
    """Ready when GET `target` gives 200 on a unix socket."""
    return _http_answers(lambda: asyncio.open_unix_connection(str(socket)), target)


def address_answers(address: str, target: str) -> Ready:
    """Ready when GET `target` gives 200 at `unix:/path` or `host:port`. Raises ValueError for another address."""
    match read_address(address):
        case UnixAddress(path):
            return socket_answers(Path(path), target)
        case TcpAddress(host, port):
            return _http_answers(lambda: asyncio.open_connection(host, port), target)


def port_answers(port: int, target: str) -> Ready:
    """Ready when GET `target` gives 200 on a loopback port."""
    return _http_answers(lambda: asyncio.open_connection("127.0.0.1", port), target)


def envoy_routes(socket: Path, xds: Path) -> Ready:
    """Ready when Envoy says so on its admin socket and runs what is in `xds`: it is live without."""
    is_live = socket_answers(socket, "/ready")

    async def look() -> str:
        if trouble := await is_live():
            return trouble
        answer = await _exchange(
            lambda: asyncio.open_unix_connection(str(socket)), _get(f"/stats?filter={quote(_XDS)}")
        )
        updates = dict(_COUNT.findall(answer))
        if not (xds / _FILES[_LISTENERS]).exists():
            updates.pop(_LISTENERS, None)  # an Envoy that opens no HTTPS has none
        without = [name for name, times in updates.items() if times == "0"]
        if without or not updates:
            return f"no valid configuration yet: {', '.join(sorted(without)) or 'nothing was looked for'}"
        runs = dict(_RUNS.findall(answer))
        files = {name: f"rds-{name.rpartition('.')[2]}.yaml" for name in updates} | _FILES
        stale = [file for name, file in files.items() if _is_stale(xds / file, runs.get(name))]
        # for a moment after each publication; for longer where Envoy refuses what was written
        return f"does not run what is in {xds}: {', '.join(stale)}" if stale else ""

    return look


def _is_stale(path: Path, runs: str | None) -> bool:
    return (path.suffix != ".pb" or path.exists()) and _written_version(path) != runs


def _written_version(path: Path) -> str:
    if path.suffix == ".pb":
        return _binary_version(path)
    try:
        with path.open(encoding="utf-8") as file:
            version = _WRITTEN.match(file.readline())
    except (OSError, UnicodeDecodeError):
        return ""
    return version[1] if version else ""


def _binary_version(path: Path) -> str:
    """The version of a DiscoveryResponse, its first field: a tag, a length of one byte, a text."""
    try:
        with path.open("rb") as file:
            head = file.read(2)
            return file.read(head[1]).decode("utf-8") if len(head) == 2 and head[0] == _FIRST_TEXT else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _http_answers(connect: _Connect, target: str) -> Ready:
    async def look() -> str:
        answer = await _exchange(connect, _get(target))
        protocol, _, rest = answer.partition(" ")
        if not protocol.startswith("HTTP/"):
            return answer
        if rest.startswith("200 "):
            return ""
        return f"answers {rest.partition(' ')[0]}: {rest.partition(_BLANK_LINE)[2].strip()[:_EXCERPT]}"

    return look


def _get(target: str) -> bytes:
    # By hand: looked at every few milliseconds during a start, and an HTTP client costs more than the server.
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close{_BLANK_LINE}".encode("ascii")


async def _exchange(connect: _Connect, question: bytes) -> str:
    """What is answered, or why nothing is."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await connect()
            try:
                writer.write(question)
                answer = b""
                while len(answer) < _MOST_BYTES and (more := await reader.read(_MOST_BYTES)):
                    answer += more
            finally:
                writer.close()
    except (OSError, TimeoutError) as fault:
        return f"does not answer: {type(fault).__name__}"
    return answer.decode("utf-8", "replace").strip() or "closes the connection"
