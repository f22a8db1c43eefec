"""The real Envoy on its rendered configuration, a tiny authorizer that says what a test wants, and a tool that listens."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from envoy.service.auth.v3 import external_auth_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from aegis_authz.config.proxy import (
    DoorSettings,
    InterceptionSettings,
    ListenerTls,
    ProxySettings,
    ToolConnection,
    TransparentSettings,
    WorkloadListener,
)
from aegis_authz.core.catalogue import Action, Catalogue, Tool
from aegis_authz.core.decision import Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.proxy.render import write_config
from aegis_authz.wire.envoy.access_log import LOG_REPLY, LOG_SERVICE, LogEntry, read_log
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import SERVICE, write_check_response
from aegis_authz.wire.envoy.ext_proc import (
    MessagePart,
    Piece,
    headers_reply,
    read_piece,
    replaced_reply,
    streamed_reply,
)

TIMEOUT = 20.0  # seconds; a busy machine, and Envoy that tries again later each time, are waited for
MOST_BODY = 65_536
SECRET, MASK = b"078-05-1120", b"[redacted]"

ALLOWED = Answer(
    effect=Effect.ALLOW,
    grpc_code=0,
    status=200,
    body=b"",
    client_headers={"x-aegis-decision": "allow", "x-aegis-decision-id": "d-1"},
    upstream_headers={},
    client_replacements={},
    removed_headers=("x-aegis-token", "x-aegis-obligation"),
    metadata={"decision_id": "d-1"},
    is_followed=True,
)


@dataclass(frozen=True)
class Reply:
    """What a client got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True)
class Seen:
    """What a tool got."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


async def read_message(reader: StreamReader) -> Seen:
    """One HTTP/1.1 message, with a body by content-length, chunked, or none. Raises IncompleteReadError."""
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (entry.partition(":") for entry in rest)]
    named = dict(headers)
    body = b""
    if named.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif "content-length" in named:
        body = await reader.readexactly(int(named["content-length"]))
    return Seen(line, headers, body)


class ToolServer:
    """A tool: keeps what it gets, answers `reply`."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.reply = b""
        self.port = 0
        self._last: StreamWriter | None = None

    def reset(self) -> None:
        self.seen.clear()
        self.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"

    @asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[ToolServer]:
        self.reset()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def say(self, more: bytes) -> None:
        """Send more to whoever was answered last."""
        assert self._last is not None
        self._last.write(more)
        await self._last.drain()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while True:
                self.seen.append(await read_message(reader))
                self._last = writer
                writer.write(self.reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Authorizer:
    """Answers checks with `answer`; redacts SECRET in the bodies that reach its processor.

    The processor aborts its stream at the first body that holds `fails_at`.
    """

    def __init__(self, socket: Path) -> None:
        self.place = f"unix:{socket}"
        self.checks: list[external_auth_pb2.CheckRequest] = []
        self.heads: list[dict[str, str]] = []
        self.pieces: list[Piece] = []
        self.answer: Answer = ALLOWED
        self.fails_at: bytes | None = None
        self.head_changes: dict[str, str] = {}
        self.entries: list[LogEntry] = []
        self.is_watching = False

    def reset(self) -> None:
        self.checks.clear()
        self.heads.clear()
        self.pieces.clear()
        self.answer = ALLOWED
        self.fails_at = None
        self.head_changes = {}
        self.entries.clear()
        self.is_watching = False

    async def entry(self, decision_id: str = "d-1") -> LogEntry:
        """What the access log told of a decision, once Envoy has."""

        async def look() -> LogEntry | None:
            return next((entry for entry in self.entries if entry.decision_id == decision_id), None)

        entry = await until(look)
        assert isinstance(entry, LogEntry)
        return entry

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Authorizer]:
        server = grpc.aio.server()
        watched = health.aio.HealthServicer()
        await watched.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(watched, server)
        check = grpc.unary_unary_rpc_method_handler(self._check)
        process = grpc.stream_stream_rpc_method_handler(self._process)
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(SERVICE, {"Check": check}),
                grpc.method_handlers_generic_handler(
                    "envoy.service.ext_proc.v3.ExternalProcessor", {"Process": process}
                ),
                grpc.method_handlers_generic_handler(
                    LOG_SERVICE, {"StreamAccessLogs": grpc.stream_unary_rpc_method_handler(self._log)}
                ),
            )
        )
        server.add_insecure_port(self.place)
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)

    async def _log(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        async for message in messages:
            self.entries.extend(read_log(message))
        return LOG_REPLY

    async def _check(self, message: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.checks.append(external_auth_pb2.CheckRequest.FromString(message))
        self.heads.append({str(key): str(value) for key, value in context.invocation_metadata() or ()})
        return write_check_response(self.answer)

    async def _process(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        async for message in messages:
            piece = read_piece(message)
            self.pieces.append(piece)
            if self.fails_at is not None and self.fails_at in piece.body:
                await context.abort(grpc.StatusCode.INTERNAL, "the test wants it so")
            if self.is_watching:
                continue
            body = piece.body.replace(SECRET, MASK)
            if piece.part is MessagePart.HEADERS:
                yield headers_reply(piece.target, self.head_changes, ())
            elif piece.target is Target.REQUEST:
                yield replaced_reply(piece.target, body, {})
            else:
                yield streamed_reply(piece.target, body, piece.end_of_stream)


@dataclass
class Proxy:
    """A running Envoy."""

    settings: ProxySettings
    forward: int
    reverse: int
    log: list[str] = field(default_factory=list)
    door: int = 0

    async def admin(self, path: str) -> Reply:
        reader, writer = await asyncio.open_unix_connection(self.settings.admin_socket)
        return await exchange(reader, writer, f"GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n".encode())

    async def send(self, raw: bytes, port: int | None = None, tls: ssl.SSLContext | None = None) -> Reply:
        """Send these very bytes, to the forward listener unless another port is named; read one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.forward, ssl=tls)
        return await exchange(reader, writer, raw)

    async def send_to(self, socket: Path, raw: bytes) -> Reply:
        """Send these very bytes to a listener on a unix socket; read one answer."""
        reader, writer = await asyncio.open_unix_connection(str(socket))
        return await exchange(reader, writer, raw)

    async def get(self, url: str, *headers: str) -> Reply:
        host = url.split("/")[2]
        return await self.send("\r\n".join((f"GET {url} HTTP/1.1", f"host: {host}", *headers, "", "")).encode())

    async def post(self, url: str, body: bytes, *headers: str) -> Reply:
        lines = (f"POST {url} HTTP/1.1", f"host: {url.split('/')[2]}", f"content-length: {len(body)}", *headers, "", "")
        return await self.send("\r\n".join(lines).encode() + body)

    async def access_line(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """The first line of the access log that is wanted, once Envoy has written it."""

        async def look() -> dict[str, object] | None:
            text = self.settings.access_log.read_text("utf-8")
            return next((line for line in map(json.loads, text.splitlines()) if wanted(line)), None)

        return await until(look)


async def exchange(reader: StreamReader, writer: StreamWriter, raw: bytes) -> Reply:
    try:
        async with asyncio.timeout(TIMEOUT):
            writer.write(raw)
            await writer.drain()
            message = await read_message(reader)
    finally:
        writer.close()
    return Reply(int(message.line.split()[1]), message.headers, message.body)


async def until(look: Callable[[], object]) -> object:
    """Ask until there is an answer. Raises TimeoutError."""
    async with asyncio.timeout(TIMEOUT):
        while not (found := await look()):
            await asyncio.sleep(0.01)
    return found


class Starter:
    """Starts Envoys and stops them; `prefix` are the words before each command."""

    def __init__(self, binary: Path, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self._words = (*prefix, str(binary))
        self._folder = folder

    @asynccontextmanager
    async def running(
        self,
        name: str,
        catalogue: Catalogue,
        *authz: str,
        ca_file: Path = Path("/nowhere"),
        tls: ListenerTls | None = None,
        interception: InterceptionSettings | None = None,
        workload: Mapping[str, WorkloadListener] | None = None,
        connections: Mapping[str, ToolConnection] | None = None,
        door: DoorSettings | None = None,
        transparent: TransparentSettings | None = None,
        collector: str = "",
    ) -> AsyncIterator[Proxy]:
        """An Envoy on ports of its own choice, rendered for this catalogue and these authorizers."""
        folder = self._folder / name
        settings = ProxySettings(
            forward_port=0,
            reverse_port=0,
            admin_socket=str(folder / "admin.sock"),
            authz=authz,
            xds=folder / "xds",
            access_log=folder / "access.log",
            ca_file=ca_file,
            max_body_bytes=MOST_BODY,
            tls=tls,
            interception=interception,
            workload=workload or {},
            tools=connections or {},
            door=door,
            transparent=transparent,
            collector=collector,
        )
        async with self.launched(write_config(folder, settings, catalogue), settings) as proxy:
            yield proxy

    @asynccontextmanager
    async def launched(self, config: Path, settings: ProxySettings) -> AsyncIterator[Proxy]:
        """An Envoy on this file."""
        arguments = ["-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "info"]
        arguments += ["--file-flush-interval-msec", "50"]
        process = await asyncio.create_subprocess_exec(
            *self._words, *arguments, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        log: list[str] = []
        reading = None
        try:
            async with asyncio.timeout(TIMEOUT):
                while line := (await process.stderr.readline()).decode():
                    log.append(line)
                    if "starting workers" in line:
                        break
                else:
                    raise AssertionError("".join(log))
            reading = asyncio.create_task(_read_all(process.stderr, log))
            proxy = Proxy(settings, 0, 0, log)
            listening = json.loads((await proxy.admin("/listeners?format=json")).body)["listener_statuses"]
            ports = {
                one["name"]: one["local_address"]["socket_address"]["port_value"]
                for one in listening
                if "socket_address" in one["local_address"]
            }
            door = ports.get("door", 0)
            yield replace(proxy, forward=ports["forward"], reverse=ports["reverse"], door=door)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            if reading is not None:
                await reading


async def _read_all(stream: StreamReader, lines: list[str]) -> None:
    while line := await stream.readline():
        lines.append(line.decode())


def tool(name: str, host: str, upstream: str, *actions: Action, port: int | None = None, mcp_path: str = "") -> Tool:
    return Tool(name, host, port, upstream, actions, mcp_path, "", None, False, False, NO_INTERFACE)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="px-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def envoys(envoy_binary: Path, short_folder: Path) -> Starter:
    return Starter(envoy_binary, short_folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_tool() -> AsyncIterator[ToolServer]:
    async with ToolServer().serving() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_authorizer(short_folder: Path) -> AsyncIterator[Authorizer]:
    async with Authorizer(short_folder / "authz.sock").serving() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proxy(envoys: Starter, one_tool: ToolServer, one_authorizer: Authorizer) -> AsyncIterator[Proxy]:
    """One Envoy for most tests, with the tool `pay` at pay.example."""
    catalogue = Catalogue.of((tool("pay", "pay.example", f"http://127.0.0.1:{one_tool.port}"),))
    async with envoys.running("main", catalogue, one_authorizer.place) as running:
        yield running


@pytest.fixture
def server(one_tool: ToolServer) -> ToolServer:
    """The tool, fresh."""
    one_tool.reset()
    return one_tool


@pytest.fixture
def authorizer(one_authorizer: Authorizer) -> Authorizer:
    """The authorizer, fresh: it allows everything."""
    one_authorizer.reset()
    return one_authorizer
