"""Tools that keep each request they get: on a server that is strict about HTTP, on a naive one, and on one of HTTP/2."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import h2.config
import h2.connection
import h2.events
import uvicorn

from tests.proxy.conftest import TIMEOUT
from tests.support.inside_sockets import serving, socket_inside


@dataclass(frozen=True)
class Receipt:
    """A request as a tool's server read it. Names of headers are in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Recorder:
    """The receipts of one tool."""

    port: int = 0
    receipts: list[Receipt] = field(default_factory=list)


@asynccontextmanager
async def strict_tool(pod: int) -> AsyncIterator[Recorder]:
    """uvicorn on h11, which refuses what RFC 9112 does not allow; on the same port in the namespace of `pod`, unless 0."""
    recorder = Recorder()

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        target = (scope["raw_path"] + query).decode("latin-1")
        recorder.receipts.append(Receipt(scope["method"], target, headers, body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    config = uvicorn.Config(app, port=0, http="h11", lifespan="off", log_level="critical", access_log=False)
    config.ws = "none"  # what asks for a WebSocket is kept as the request it is
    config.timeout_keep_alive = 600  # or a request meets the end of a connection that was idle
    server = _Server(config)
    own = serving(0)
    sockets = [own, *([socket_inside(pod, lambda: serving(own.getsockname()[1]))] if pod else [])]
    task = asyncio.create_task(server.serve(sockets))
    try:
        async with asyncio.timeout(TIMEOUT):
            await server.is_up.wait()
        recorder.port = own.getsockname()[1]
        yield recorder
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the test run."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()


@asynccontextmanager
async def naive_tool(pod: int) -> AsyncIterator[Recorder]:
    """`http.server` of the standard library: what it does not understand it takes as it comes. Also in `pod`, unless 0."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._keep
            raise AttributeError(name)

        def _keep(self) -> None:
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            recorder.receipts.append(Receipt(self.command, self.path, headers, self._body()))
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"done")

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("transfer-encoding", ""):
                chunks = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    chunks += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return chunks
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def log_message(self, *_: object) -> None:
            """The receipts say it all."""

    own = serving(0)
    recorder.port = own.getsockname()[1]
    sockets = [own, *([socket_inside(pod, lambda: serving(recorder.port))] if pod else [])]
    servers = [_on(listener, Handler) for listener in sockets]
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield recorder
    finally:
        for server, thread in zip(servers, threads, strict=True):
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()


def _on(listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(listener.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    return server


@asynccontextmanager
async def rpc_tool(pod: int) -> AsyncIterator[Recorder]:
    """A service of gRPC that keeps the bytes of messages and answers with none; also in `pod`, unless 0."""
    recorder = Recorder()
    own = serving(0)
    recorder.port = own.getsockname()[1]
    sockets = [own, *([socket_inside(pod, lambda: serving(recorder.port))] if pod else [])]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        connection.initiate_connection()
        calls: dict[int, tuple[dict[str, str], list[tuple[str, str]], bytearray]] = {}
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    _hear(event, connection, calls, recorder)
                writer.write(connection.data_to_send())
        finally:
            writer.close()

    servers = [await asyncio.start_server(serve, sock=listener) for listener in sockets]
    try:
        yield recorder
    finally:
        for server in servers:
            server.close()


def _hear(event: Any, connection: h2.connection.H2Connection, calls: dict[int, Any], recorder: Recorder) -> None:
    match event:
        case h2.events.RequestReceived(stream_id=stream, headers=headers):
            pseudo = {name: value for name, value in headers if name.startswith(":")}
            rest = [(name, value) for name, value in headers if not name.startswith(":")]
            calls[stream] = (pseudo, rest, bytearray())
        case h2.events.DataReceived(stream_id=stream, data=data, flow_controlled_length=length):
            calls[stream][2].extend(data)
            connection.acknowledge_received_data(length, stream)
        case h2.events.StreamEnded(stream_id=stream):
            pseudo, rest, body = calls.pop(stream)
            headers = (("host", pseudo[":authority"]), *rest)
            recorder.receipts.append(Receipt(pseudo[":method"], pseudo[":path"], headers, bytes(body)))
            connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
            connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
