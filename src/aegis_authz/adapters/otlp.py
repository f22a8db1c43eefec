"""OTLP's two transports, each one blocking call: gRPC, and HTTP with protobuf bodies.

Source: OpenTelemetry Protocol 1.11, "OTLP/gRPC" and "OTLP/HTTP" (which answers may be tried again, and when).
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import grpc

from aegis_authz.adapters.span_queue import ExportFailed
from aegis_authz.core.units import Seconds

TRACES_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRACES_PATH: Final = "/v1/traces"

_AT_ONCE = Seconds(0.0)
_TRANSIENT = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
_TRANSIENT_STATUS = frozenset((429, 502, 503, 504))
_OK = 200
_MOST_ANSWER = 65_536
_LONGEST_PAUSE = 30.0

Rejections = Callable[[bytes], int]
"""How many spans a response says were not taken. Raises ValueError for bytes that are none."""


class Protocol(Enum):
    """How a collector is spoken to."""

    GRPC = "grpc"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans go: an `http` or `https` URL, with the headers that each request carries.

    `ca` is trusted in place of the public authorities; `certificate`, with its `key`, is shown to the collector. All
    three are files of PEM.
    """

    endpoint: str
    protocol: Protocol
    headers: Mapping[str, str]
    ca: Path | None
    certificate: Path | None
    key: Path | None


class GrpcSender:
    """`Export` by OTLP/gRPC. Raises OSError for files that cannot be read."""

    def __init__(self, collector: Collector, rejections: Rejections, method: str = TRACES_METHOD) -> None:
        place = urlsplit(collector.endpoint)
        options = (("grpc.enable_retries", 0),)  # the queue tries again, and counts
        if place.scheme == "https":
            credentials = grpc.ssl_channel_credentials(
                _content(collector.ca), _content(collector.key), _content(collector.certificate)
            )
            self._channel = grpc.secure_channel(place.netloc, credentials, options)
        else:
            self._channel = grpc.insecure_channel(place.netloc, options)
        self._call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(
            method, request_serializer=None, response_deserializer=None
        )
        self._metadata = tuple((name.lower(), value) for name, value in collector.headers.items())
        self._rejections = rejections

    def __call__(self, request: bytes, timeout: Seconds) -> int:
        """Send it."""
        try:
            response: bytes = self._call(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as fault:
            code = fault.code()
            raise ExportFailed(f"{code.name}: {fault.details()}", _AT_ONCE if code in _TRANSIENT else None) from None
        return _read(self._rejections, response)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class HttpSender:
    """`Export` by OTLP/HTTP on one connection that is kept open. Raises OSError for files that cannot be read."""

    def __init__(self, collector: Collector, rejections: Rejections, path: str = TRACES_PATH) -> None:
        self._place = urlsplit(collector.endpoint)
        self._path = self._place.path if self._place.path.strip("/") else path
        self._headers = {**collector.headers, "content-type": "application/x-protobuf"}
        self._tls = _tls(collector) if self._place.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._rejections = rejections

    def __call__(self, request: bytes, timeout: Seconds) -> int:
        """Send it."""
        try:
            status, wait, body = self._post(request, timeout)
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise ExportFailed(str(fault) or type(fault).__name__, _AT_ONCE) from None
        if status == _OK:
            return _read(self._rejections, body)
        raise ExportFailed(f"HTTP status {status}", wait if status in _TRANSIENT_STATUS else None)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, request: bytes, timeout: Seconds) -> tuple[int, Seconds, bytes]:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._opened(timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request("POST", self._path, request, self._headers)
        response = connection.getresponse()
        body = response.read(_MOST_ANSWER)
        if not response.isclosed():
            self.close()  # more than any collector says
        return response.status, _pause(response.getheader("retry-after", "")), body

    def _opened(self, timeout: Seconds) -> http.client.HTTPConnection:
        host, port = self._place.hostname or "", self._place.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout)


def sender_of(collector: Collector, rejections: Rejections) -> GrpcSender | HttpSender:
    """What speaks to the collector. Raises OSError for files that cannot be read."""
    kind = GrpcSender if collector.protocol is Protocol.GRPC else HttpSender
    return kind(collector, rejections)


def _read(rejections: Rejections, response: bytes) -> int:
    try:
        return rejections(response)
    except ValueError:
        raise ExportFailed("the answer is not that of a collector", None) from None


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _tls(collector: Collector) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if collector.ca is None else str(collector.ca))
    if collector.certificate is not None:
        context.load_cert_chain(collector.certificate, collector.key)
    return context


def _pause(retry_after: str) -> Seconds:
    """The seconds of a `retry-after`; a date, or nonsense, is none."""
    with suppress(ValueError):
        return Seconds(min(max(float(int(retry_after)), 0.0), _LONGEST_PAUSE))
    return _AT_ONCE
