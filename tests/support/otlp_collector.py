"""Receivers of OTLP that follow its specification: gRPC and HTTP, with and without TLS, answering as told."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class Receiver:
    """What came, and how the next requests are answered: a status (a gRPC code or one of HTTP), or how many spans are
    rejected. Without an answer everything is taken.
    """

    answers: list[grpc.StatusCode | int | ExportTraceServiceResponse] = field(default_factory=list)
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    retry_after: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def spans(self) -> list[Span]:
        """All spans of all requests that were taken."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def take(self, message: bytes, headers: dict[str, str]) -> grpc.StatusCode | int | ExportTraceServiceResponse:
        """Read one request and say how it is answered."""
        self.came.release()
        assert self.gate.wait(30)
        self.headers.append(headers)
        answer = self.answers.pop(0) if self.answers else ExportTraceServiceResponse()
        if isinstance(answer, ExportTraceServiceResponse):
            self.requests.append(ExportTraceServiceRequest.FromString(message))
        return answer

    def await_requests(self, count: int) -> None:
        """Wait until so many more came."""
        for _ in range(count):
            assert self.came.acquire(timeout=30)


def await_spans(receiver: Receiver, count: int) -> list[Span]:
    """All spans of a receiver, once it has taken so many."""
    until = time.monotonic() + 30
    while len(receiver.spans) < count:
        assert time.monotonic() < until, f"{len(receiver.spans)} of {count} spans came"
        time.sleep(0.01)
    return receiver.spans


@contextmanager
def grpc_collector(
    certificate: tuple[Path, Path] | None = None, client_ca: Path | None = None
) -> Iterator[tuple[Receiver, str]]:
    """An OTLP/gRPC receiver and its URL."""
    receiver = Receiver()

    def export(message: bytes, context: grpc.ServicerContext) -> bytes:
        answer = receiver.take(message, {str(key): str(value) for key, value in context.invocation_metadata()})
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "as told")
        assert isinstance(answer, ExportTraceServiceResponse)
        return answer.SerializeToString()

    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if certificate is None:
        url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        pair = ((certificate[1].read_bytes(), certificate[0].read_bytes()),)
        authority = None if client_ca is None else client_ca.read_bytes()
        credentials = grpc.ssl_server_credentials(pair, authority, client_ca is not None)
        url = f"https://localhost:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    try:
        yield receiver, url
    finally:
        receiver.gate.set()
        server.stop(0).wait()


@contextmanager
def http_collector(certificate: tuple[Path, Path] | None = None) -> Iterator[tuple[Receiver, str]]:
    """An OTLP/HTTP receiver and its URL."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {**{name.lower(): value for name, value in self.headers.items()}, ":path": self.path}
            answer = receiver.take(body, headers)
            is_taken = isinstance(answer, ExportTraceServiceResponse)
            content = (
                answer.SerializeToString() if isinstance(answer, ExportTraceServiceResponse) else b"<html>no</html>"
            )
            self.send_response(200 if is_taken else int(str(answer)))
            self.send_header("content-length", str(len(content)))
            if receiver.retry_after:
                self.send_header("retry-after", receiver.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme, host = "http", "127.0.0.1"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme, host = "https", "localhost"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver, f"{scheme}://{host}:{server.server_address[1]}"
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
