from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

from aegis_authz.config.values import SHARED_LISTENERS
from aegis_authz.local.process import Ready
from aegis_authz.local.readiness import (
    _FILES,
    envoy_routes,
    mesh_checks,
    port_answers,
    redis_answers,
    socket_answers,
)
from aegis_authz.proxy.bootstrap import CLUSTERS_FILE, LISTENERS_FILE
from aegis_authz.proxy.routes import routes_file

Answers = Callable[[bytes], bytes]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="aegis-test-"))
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def server(path: Path, answer: Answers) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n")
        writer.write(answer(asked))
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, str(path)):
        yield


def status(code: int, body: str = "") -> Answers:
    return lambda _: f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


CHECKS: list[Callable[[Path], Ready]] = [
    redis_answers,
    lambda path: envoy_routes(path, path.parent),
    lambda path: socket_answers(path, "/readyz"),
]


@pytest.mark.parametrize("check", CHECKS)
async def test_nobody_there_is_not_ready(folder: Path, check: Callable[[Path], Ready]) -> None:
    assert await check(folder / "none.sock")() == "does not answer: FileNotFoundError"


@pytest.mark.parametrize("check", CHECKS)
async def test_a_closed_connection_is_not_ready(folder: Path, check: Callable[[Path], Ready]) -> None:
    async with server(folder / "s", lambda _: b""):
        assert await check(folder / "s")() == "closes the connection"


async def test_a_port_nobody_listens_on_is_not_ready() -> None:
    assert await port_answers(1, "/readyz")() == "does not answer: ConnectionRefusedError"


async def test_redis_is_ready_when_it_answers_ping_and_not_while_it_loads(folder: Path) -> None:
    look = redis_answers(folder / "s")
    async with server(folder / "s", lambda _: b"+PONG\r\n+OK\r\n"):
        assert await look() == ""
    async with server(folder / "s", lambda _: b"-LOADING Redis is loading the dataset in memory\r\n"):
        assert "LOADING" in await look()


async def test_only_200_is_ready_and_the_rest_says_what_it_said(folder: Path) -> None:
    look = socket_answers(folder / "s", "/readyz")
    async with server(folder / "s", lambda asked: status(200 if asked.startswith(b"GET /readyz ") else 404)(asked)):
        assert await look() == ""
    async with server(folder / "s", status(503, '{"ready":false,"controls":{"store":"down"}}')):
        assert await look() == 'answers 503: {"ready":false,"controls":{"store":"down"}}'
    async with server(folder / "s", lambda _: b"SSH-2.0\r\n"):
        assert await look() == "SSH-2.0"


def envoy(live: int, cds: int, forward: int, reverse: int, version: str = "0123456789abcdef") -> Answers:
    counts = {"cluster_manager.cds": cds, "http.forward.rds.forward": forward, "http.reverse.rds.reverse": reverse}
    lines = [f'{name}.version_text: "{version}"' for name in counts]
    lines += [f"{name}.update_success: {count}" for name, count in counts.items()]
    return lambda asked: status(live)(asked) if b" /ready " in asked else status(200, "\n".join([*lines, ""]))(asked)


def write_versions(folder: Path, *versions: str) -> None:
    for file, version in zip((CLUSTERS_FILE, *map(routes_file, SHARED_LISTENERS)), versions, strict=True):
        (folder / file).write_text(f"version_info: {version}\nresources: []\n", "utf-8")


async def test_envoy_is_ready_only_with_routes_and_clusters(folder: Path) -> None:
    look = envoy_routes(folder / "s", folder)
    write_versions(folder, *["'0123456789abcdef'"] * 3)
    async with server(folder / "s", envoy(200, 1, 1, 2)):
        assert await look() == ""
    async with server(folder / "s", envoy(503, 1, 1, 1)):
        assert (await look()).startswith("answers 503")
    async with server(folder / "s", envoy(200, 1, 0, 0)):
        assert await look() == ("no valid configuration yet: http.forward.rds.forward, http.reverse.rds.reverse")
    async with server(folder / "s", status(200, "nothing\n")):
        assert await look() == "no valid configuration yet: nothing was looked for"


async def test_envoy_is_not_ready_while_it_runs_what_nobody_wrote(folder: Path) -> None:
    look = envoy_routes(folder / "s", folder)
    write_versions(folder, "abcdef0123456789", "'0123456789abcdef'", "abcdef0123456789")
    async with server(folder / "s", envoy(200, 1, 1, 1, "abcdef0123456789")):
        assert await look() == f"does not run what is in {folder}: rds-forward.yaml"
        (folder / "cds.yaml").unlink()
        (folder / "rds-reverse.yaml").write_bytes(b"\xff")
        assert await look() == f"does not run what is in {folder}: cds.yaml, rds-forward.yaml, rds-reverse.yaml"


def test_the_files_are_those_that_envoy_is_told_to_watch() -> None:
    assert set(_FILES.values()) == {CLUSTERS_FILE, LISTENERS_FILE, *map(routes_file, SHARED_LISTENERS)}


async def test_an_envoy_that_opens_https_is_ready_with_its_listeners(folder: Path) -> None:
    look = envoy_routes(folder / "s", folder)
    version = "0123456789abcdef"
    write_versions(folder, *[f"'{version}'"] * 3)
    (folder / LISTENERS_FILE).write_bytes(DiscoveryResponse(version_info=version).SerializeToString())

    def with_listeners(count: int, runs: str) -> Answers:
        before = envoy(200, 1, 1, 1)
        more = f'listener_manager.lds.version_text: "{runs}"\nlistener_manager.lds.update_success: {count}\n'
        return lambda asked: before(asked) if b" /ready " in asked else before(asked) + more.encode()

    async with server(folder / "s", envoy(200, 1, 1, 1)):
        assert await look() == f"does not run what is in {folder}: {LISTENERS_FILE}"
    async with server(folder / "s", with_listeners(1, "other")):
        assert await look() == f"does not run what is in {folder}: {LISTENERS_FILE}"
    async with server(folder / "s", with_listeners(0, "")):
        assert await look() == "no valid configuration yet: listener_manager.lds"
    async with server(folder / "s", with_listeners(1, version)):
        assert await look() == ""


async def test_each_process_of_a_mesh_has_its_check_in_the_order_of_the_start(folder: Path) -> None:
    checks = mesh_checks(folder, folder, 1, 2, 3)
    assert list(checks) == [
        "redis",
        "control",
        "opa",
        "authz-0",
        "authz-1",
        "certificates",
        "prometheus",
        "echo",
        "envoy",
    ]
    async with server(folder / "ready-1.sock", status(200)):
        assert [name for name, look in checks.items() if not await look()] == ["authz-1"]
