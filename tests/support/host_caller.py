"""Starts a process of the scripted handlers in one of the hosts, and calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from aegis_authz.wire.envoy.access_log import LOG_METHOD
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD, SERVICE
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE

SCRIPT = Path(__file__).with_name("host_script.py")
PROCESS_METHOD = f"/{BODY_SERVICE}/Process"
OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
]
PATIENCE = 20.0
"""Seconds that anything may take before it counts as stuck."""
KINDS = health_pb2.HealthCheckResponse
Stream = grpc.aio.StreamStreamCall[bytes, bytes]


@dataclass(frozen=True)
class Worker:
    """A process that serves the scripted handlers in one of the hosts."""

    address: str
    process: subprocess.Popen[bytes]

    def memory(self) -> int:
        """Bytes it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Caller:
    """A client on a connection of its own."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, OPTIONS)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self._check = self.channel.unary_unary(CHECK_METHOD)

    def call(self, message: bytes, timeout: float = PATIENCE, **told: str) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        """A Check under way."""
        return self._check(message, timeout=timeout, metadata=tuple(told.items()))

    async def do(self, message: bytes, **told: str) -> bytes:
        """The answer to a Check."""
        return await self.call(message, **told)

    def stream(self) -> Stream:
        """A stream of bodies."""
        return self.channel.stream_stream(PROCESS_METHOD)(timeout=PATIENCE)

    def log(self) -> grpc.aio.StreamUnaryCall[bytes, bytes]:
        """A stream of an access log, as Envoy opens one."""
        return self.channel.stream_unary(LOG_METHOD)(timeout=PATIENCE)

    async def begun(self, first: bytes) -> Stream:
        """A stream whose handler has answered its first message."""
        stream = self.stream()
        await stream.write(first)
        assert await stream.read() == first.split()[0]
        return stream

    async def healths(self) -> list[bool]:
        """What is serving: the worker as a whole, its checks, its bodies."""
        asked = [health_pb2.HealthCheckRequest(service=service) for service in ("", SERVICE, BODY_SERVICE)]
        return [(await self.health.Check(one, timeout=PATIENCE)).status == KINDS.SERVING for one in asked]


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Worker]:
    """A worker hosted in `kind`; its log is in `folder`."""
    address = f"unix:{folder}/authz.sock"
    arguments = [sys.executable, str(SCRIPT), kind, address]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        yield Worker(address, process)
    finally:
        process.kill()
        process.wait()
