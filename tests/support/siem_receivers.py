"""Receivers of events on loopback, as exact as their makers document them."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

TOKEN = "0a1b2c3d-collector-token"  # of a server of the test


class SplunkServer:
    """An HTTP Event Collector whose token wants acknowledgement.

    https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck: without a channel it answers code 10, with
    a bad token 403 and code 4; events are concatenated objects; an acknowledgement is told once it is asked for.
    """

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[dict[str, Any]] = []
        self.faults: list[tuple[int, bytes]] = []
        """Answers given in place of taking a batch, the first one first."""
        self.looks_until_ack = 1
        self.acknowledges = True
        """Whether its token is of the kind with indexer acknowledgement, which asks for a channel; else a 200 is all."""
        self.poison = ""
        """A batch with this text is refused for good, as one with an event that cannot be parsed."""
        self._pending: dict[int, tuple[str, list[dict[str, Any]]]] = {}
        self._looks = 0

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if headers.get("authorization") != f"Splunk {TOKEN}":
            return 403, b'{"text":"Invalid token","code":4}'
        channel = headers.get("x-splunk-request-channel", "")
        if not channel and self.acknowledges:
            return 400, b'{"text":"Data channel is missing","code":10}'
        if path == f"/services/collector/ack?channel={channel}":
            return self._ack(channel, json.loads(body)["acks"])
        if path != "/services/collector/event":
            return 404, b'{"text":"The requested URL was not found on this server.","code":404}'
        if self.faults:
            return self.faults.pop(0)
        if self.poison and self.poison in body.decode():
            return 400, b'{"text":"Invalid data format","code":6,"invalid-event-number":0}'
        if not self.acknowledges:
            self.taken.extend(_concatenated(body.decode()))
            return 200, b'{"text":"Success","code":0}'
        ack_id = len(self._pending)
        self._pending[ack_id] = channel, _concatenated(body.decode())
        return 200, json.dumps({"text": "Success", "code": 0, "ackId": ack_id}).encode()

    def _ack(self, channel: str, ids: list[int]) -> tuple[int, bytes]:
        self._looks += 1
        acks = {}
        for ack_id in ids:
            owner, events = self._pending.get(ack_id, ("", []))
            acks[str(ack_id)] = owner == channel and self._looks % self.looks_until_ack == 0
            if acks[str(ack_id)]:
                self.taken.extend(events)
                self._pending[ack_id] = "", []
        return 200, json.dumps({"acks": acks}).encode()


class ElasticServer:
    """The bulk API of Elasticsearch 9 as a client with an API key meets it.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk: lines of action and document in turn and
    a line feed at the end; `create` of an id that is there is a conflict of that one document; the answer names each.
    """

    def __init__(self) -> None:
        self.url = ""
        self.documents: dict[str, dict[str, Any]] = {}
        self.faults: list[tuple[int, bytes]] = []
        self.conflicts = 0

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if headers.get("authorization") != f"ApiKey {TOKEN}":
            return 401, b'{"error":{"type":"security_exception"},"status":401}'
        if not path.partition("?")[0].endswith("/_bulk") and path.partition("?")[0] != "/_bulk":
            return 404, b'{"error":{"type":"resource_not_found_exception"},"status":404}'
        if headers.get("content-type", "").partition(";")[0] not in ("application/x-ndjson", "application/json"):
            return 406, b'{"error":"Content-Type header is not supported","status":406}'
        if self.faults:
            return self.faults.pop(0)
        if not body.endswith(b"\n"):
            return 400, b'{"error":{"type":"illegal_argument_exception"},"status":400}'
        lines = [json.loads(line) for line in body.splitlines()]
        items = [self._create(action, document) for action, document in zip(lines[::2], lines[1::2], strict=True)]
        errors = any(item["create"]["status"] >= 300 for item in items)
        return 200, json.dumps({"took": 1, "errors": errors, "items": items}).encode()

    def _create(self, action: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
        ((name, place),) = action.items()
        assert name == "create" and set(place) == {"_index", "_id"}, "types are gone since 8, and streams only create"
        answer: dict[str, Any] = dict(place)
        if place["_id"] in self.documents:
            self.conflicts += 1
            answer |= {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "exists"}}
        else:
            assert place["_index"] == "aegis-events"
            self.documents[place["_id"]] = document
            answer |= {"status": 201, "result": "created", "_version": 1}
        return {name: answer}


class OtlpServer:
    """A receiver of OTLP logs over HTTP (opentelemetry.io/docs/specs/otlp/#otlphttp)."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[ExportLogsServiceRequest] = []
        self.faults: list[tuple[int, bytes]] = []
        self.rejects = 0

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        if path != "/v1/logs" or headers.get("content-type") != "application/x-protobuf":
            return 404, b""
        if self.faults:
            return self.faults.pop(0)
        response = ExportLogsServiceResponse()
        if self.rejects:
            response.partial_success.rejected_log_records = self.rejects
            response.partial_success.error_message = "not these"
        else:
            self.taken.append(ExportLogsServiceRequest.FromString(body))
        return 200, response.SerializeToString()


@contextmanager
def http_serving(server: SplunkServer | ElasticServer | OtlpServer) -> Iterator[None]:
    """Serve it on a free port of 127.0.0.1; `server.url` says where."""

    kind = "application/x-protobuf" if isinstance(server, OtlpServer) else "application/json"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            self._respond(*server.answer(self.path, self.headers, body))

        def do_GET(self) -> None:
            if isinstance(server, ElasticServer):
                self._respond(200, b'{"version":{"number":"9.2.0"},"tagline":"You Know, for Search"}')
            else:
                self._respond(404, b"")

        def _respond(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            if isinstance(server, ElasticServer):
                self.send_header("x-elastic-product", "Elasticsearch")  # without it, clients since 7.14 do not go on
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            listener.shutdown()
            thread.join()


class SyslogServer:
    """A receiver of syslog that reads octet-counted frames (RFC 5425 section 4.3.1), with TLS where it has a context."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.messages: list[bytes] = []
        self.connections = 0
        self.has = threading.Condition()
        self._tls = tls
        self._open: list[socket.socket] = []

    def wait_for(self, count: int) -> list[bytes]:
        """The messages once there are that many."""
        with self.has:
            assert self.has.wait_for(lambda: len(self.messages) >= count, timeout=20)
            return list(self.messages)

    def drop_connections(self) -> None:
        """End every connection there is."""
        with self.has:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def serving(self) -> Iterator[None]:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        threads = [threading.Thread(target=self._accept, args=(listener,))]
        threads[0].start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            threads[0].join()

    def _accept(self, listener: socket.socket) -> None:
        readers = []
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                break
            readers.append(threading.Thread(target=self._read, args=(connection,)))
            readers[-1].start()
        for connection in self._open:
            connection.close()
        for reader in readers:
            reader.join()

    def _read(self, connection: socket.socket) -> None:
        with self.has:
            self._open.append(connection)
            self.connections += 1
        try:
            stream = connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)
            with stream, stream.makefile("rb") as file:
                while length := self._length(file):
                    message = file.read(length)
                    with self.has:
                        self.messages.append(message)
                        self.has.notify_all()
        except (OSError, ValueError):
            pass  # a connection that ended, in the middle of a handshake or a frame

    @staticmethod
    def _length(file: Any) -> int:
        digits = b""
        while (byte := file.read(1)) not in (b" ", b""):
            digits += byte
        return int(digits) if digits else 0


def _concatenated(text: str) -> list[dict[str, Any]]:
    decoder, at, found = json.JSONDecoder(), 0, []
    while text[at:].strip():
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text) - at - len(text[at:].lstrip())
    return found
