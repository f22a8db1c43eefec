"""A running mesh and the ways to break it. Each is a context: broken inside, healed by itself after it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis

from aegis_authz.demo.mesh import DemoMesh
from tests.support.fail_closed.doors import Caller
from tests.support.hostile_load import hostile, payment

AUTHORIZERS = ("authz-0", "authz-1")
PATIENCE = 15.0

Serve = Callable[[StreamReader, StreamWriter], Awaitable[None]]
"""Answers one connection until the other side closes it."""


class BreakableMesh:
    """A mesh of one's own, to be broken."""

    def __init__(self, mesh: DemoMesh, caller: Caller) -> None:
        self.demo = mesh
        self.caller = caller
        self.state = mesh.state

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.state / "mesh.json").read_text("utf-8"))
        return facts

    def socket(self, name: str) -> Path:
        """The unix socket of opa or redis."""
        return Path(str(self.facts()[name]).removeprefix("unix://"))

    @asynccontextmanager
    async def killed(self, *names: str, by: signal.Signals = signal.SIGKILL) -> AsyncIterator[None]:
        """These processes are dead, and nobody starts them again before the end of the block."""
        facts = self.facts()
        os.kill(facts["supervisor"], signal.SIGSTOP)
        try:
            for name in names:
                os.kill(facts["pids"][name], by)
            await until(lambda: all(_is_dead(facts["pids"][name]) for name in names))
            yield
        finally:
            os.kill(facts["supervisor"], signal.SIGCONT)

    @asynccontextmanager
    async def hung(self, *names: str) -> AsyncIterator[None]:
        """These processes are there and do nothing."""
        pids = [self.facts()["pids"][name] for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        # the signal stops a process once the thread that takes it runs; until then the others go on answering
        await until(lambda: all(_is_stopped(pid) for pid in pids))
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    @asynccontextmanager
    async def replaced(self, name: str, serve: Serve) -> AsyncIterator[None]:
        """Another server listens where opa or redis did. Connections opened before still end at the old one, which hangs."""
        async with self.hung(name), impostor(self.socket(name), serve):
            yield

    @asynccontextmanager
    async def redis_told(self, broken: tuple[str, ...], healed: tuple[str, ...]) -> AsyncIterator[None]:
        """Redis was given one command, and another at the end of the block. No command heals by itself."""
        client = Redis.from_url(f"unix://{self.socket('redis')}")
        try:
            await client.execute_command(*broken)  # type: ignore[no-untyped-call]
            yield
        finally:
            if healed:
                await client.execute_command(*healed)  # type: ignore[no-untyped-call]
            await client.aclose()

    @asynccontextmanager
    async def restarted(self, name: str) -> AsyncIterator[None]:
        """This process died and runs again, with whatever it kept."""
        before = self.facts()["pids"][name]
        async with self.killed(name):
            pass
        await until(lambda: self.facts()["pids"].get(name, before) != before and self._is_ready(name))
        yield

    @asynccontextmanager
    async def misrouted(self) -> AsyncIterator[None]:
        """Envoy runs routes that lead elsewhere than the catalogue says which calls are judged by."""
        files = {path: path.read_text("utf-8") for path in self.state.glob("envoy/xds/rds-*.yaml")}
        for path, text in files.items():
            foreign = re.sub(r"(aegis\.route: '?)[0-9a-f]{8}", r"\g<1>ffffffff", text)
            _replace(path, re.sub(r"version_info: .*", "version_info: foreign", foreign, count=1))
        await self._until_envoy_runs(files)
        try:
            yield
        finally:
            for path, text in files.items():
                _replace(path, text)
            await self._until_envoy_runs(files)

    async def _until_envoy_runs(self, files: Iterable[Path]) -> None:
        versions = [path.read_text("utf-8").split(maxsplit=2)[1].strip("'") for path in files]
        socket = httpx.AsyncHTTPTransport(uds=f"{self.facts()['run']}/envoy.sock")
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(transport=socket) as admin:
            while True:
                text = (await admin.get("http://admin/stats?filter=rds.*version_text")).text
                if all(f'"{version}"' in text for version in versions):
                    return
                await asyncio.sleep(0.02)

    def _is_ready(self, name: str) -> bool:
        return any(one["name"] == name and one["state"] == "ready" for one in self.facts()["processes"])

    @asynccontextmanager
    async def no_room_for_records(self) -> AsyncIterator[None]:
        """Every write of an authorizer that would make a file longer fails, as on a full disk."""
        pids = [self.facts()["pids"][name] for name in AUTHORIZERS]
        _, most = resource.prlimit(pids[0], resource.RLIMIT_FSIZE)
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
        try:
            yield
        finally:
            for pid in pids:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))

    @asynccontextmanager
    async def records_changed(self, change: Callable[[Path], object]) -> AsyncIterator[None]:
        """Another hand was at the record files; at the end of the block they are as they were."""
        files = {path: path.read_bytes() for path in self.state.glob("records/*/*.jsonl")}
        assert files
        for path in files:
            change(path)
        try:
            yield
        finally:
            for path, content in files.items():
                path.write_bytes(content)

    @asynccontextmanager
    async def overloaded(self) -> AsyncIterator[None]:
        """Each authorizer takes one call at a time, judging takes long, and six agents never stop asking."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._one_call_at_a_time())
            await stack.enter_async_context(self.hung("opa"))
            # from another address: what comes by the thousand from one is counted, and not recorded one by one
            port = int(self.demo.proxy.rpartition(":")[2])
            crowd = hostile(payment, port, self.caller.tokens, connections=6, source="127.0.0.2", pause=0.02)
            statuses = await stack.enter_async_context(crowd)
            yield
            assert statuses and not any(200 <= status < 300 for status in statuses), statuses

    @asynccontextmanager
    async def _one_call_at_a_time(self) -> AsyncIterator[None]:
        settings = self.state / "authz.yaml"
        text = settings.read_text("utf-8")
        assert "max_concurrent: 512" in text
        settings.write_text(text.replace("max_concurrent: 512", "max_concurrent: 1"), "utf-8")
        try:
            await self._restart_authorizers()
            yield
        finally:
            settings.write_text(text, "utf-8")
            await self._restart_authorizers()

    async def _restart_authorizers(self) -> None:
        async with self.killed(*AUTHORIZERS):
            pass
        await self.until_whole()

    async def until_whole(self) -> None:
        """Return once every process is ready, Envoy counts on each authorizer, and a good call passes each door.

        Nobody helps. Raises TimeoutError.
        """
        async with asyncio.timeout(PATIENCE):
            while not self._all_are_ready() or not await self._envoy_counts_on_all():
                await asyncio.sleep(0.02)
            await self.caller.until_open(PATIENCE)

    def _all_are_ready(self) -> bool:
        return all(one["state"] == "ready" and not _is_dead(one["pid"]) for one in self.facts()["processes"])

    async def _envoy_counts_on_all(self) -> bool:
        socket = httpx.AsyncHTTPTransport(uds=f"{self.facts()['run']}/envoy.sock")
        async with httpx.AsyncClient(transport=socket) as admin:
            clusters = (await admin.get("http://admin/clusters?format=json")).json()["cluster_statuses"]
        hosts = next(cluster["host_statuses"] for cluster in clusters if cluster["name"] == "aegis_authz")
        return all(host["health_status"] == {"eds_health_status": "HEALTHY"} for host in hosts)


async def until(is_so: Callable[[], bool]) -> None:
    """Return once it is so. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.01)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text, "utf-8")
    fresh.rename(path)


def _is_stopped(pid: int) -> bool:
    """Whether every thread of the process stands still."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def _is_dead(pid: int) -> bool:
    """Whether all threads of the process are gone: until then its sockets are open."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return "Z" in state and len(list(Path(f"/proc/{pid}/task").iterdir())) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return True


@asynccontextmanager
async def listening(socket: Path, serve: Serve) -> AsyncIterator[None]:
    """A server of this kind listens at the socket."""
    server = await asyncio.start_unix_server(closing(serve), socket)
    yield
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def impostor(socket: Path, serve: Serve) -> AsyncIterator[None]:
    """Another server listens at the socket than did before.

    What connections it took end with the block: whoever stayed with it would not know that the right one is back.
    """
    aside, gone = socket.with_suffix(".aside"), socket.with_suffix(".gone")
    taken, is_over = set[StreamWriter](), False

    async def serve_until_over(reader: StreamReader, writer: StreamWriter) -> None:
        if not is_over:
            await serve(reader, writer)

    socket.rename(aside)
    server = await asyncio.start_unix_server(closing(serve_until_over, taken), socket)
    try:
        yield
    finally:
        is_over = True
        socket.rename(gone)
        aside.rename(socket)
        last, ours = await asyncio.open_unix_connection(gone)
        await last.read()  # whoever came before is accepted by then, and no longer on its way to be served
        ours.close()
        server.close()
        gone.unlink()
        for writer in taken:
            writer.transport.abort()


def closing(serve: Serve, taken: set[StreamWriter] | None = None) -> Serve:
    """Serves until it is told all or left alone, and hangs up. Among `taken` is each connection for as long as it is open."""
    writers = set[StreamWriter]() if taken is None else taken

    async def served(reader: StreamReader, writer: StreamWriter) -> None:
        writers.add(writer)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the other side has left
        finally:
            writers.discard(writer)
            writer.close()

    return served
