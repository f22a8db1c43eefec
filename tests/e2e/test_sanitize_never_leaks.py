"""A body processor may stop in every way there is: through the real Envoy, no raw byte passes.

The one exception is the trap all this is about: a gRPC stream that ends cleanly too early.
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import signal
import socket
import string
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from aegis_authz.core.decision import Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record, RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.server.ext_proc import BodyHandler, StreamAborted
from aegis_authz.server.grpc.host import GrpcHost
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import write_check_response
from aegis_authz.wire.envoy.ext_proc import replaced_reply, streamed_reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST, SECOND = b"123-45-6789", b"234-56-7890"
RAW = (FIRST, SECOND, b"45-6789", b"56-7890")
JSON_HALVES = (b'{"first":"' + FIRST + b'",', b'"second":"' + SECOND + b'"}')
EVENTS = tuple(
    b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"' + ssn + b'"}}\n\n'
    for ssn in (FIRST, SECOND)
)
HEADS = {
    "json": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    "sse": b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
}
PARTS = {"json": JSON_HALVES, "sse": EVENTS}
PATIENCE = 10.0
STILL = 0.5
"""Seconds after which a connection on which nothing happens is taken to be stuck."""

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
Process = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
VICTIM = """
import asyncio, sys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.server.ext_proc import BodyHandler
from aegis_authz.server.grpc.host import GrpcHost

class Stuck:
    async def append(self, record):
        print("recording", flush=True)
        await asyncio.Event().wait()

async def check(message, traceparent, left, gone):
    raise NotImplementedError

async def main():
    process = BodyHandler(Stuck(), SystemClock(), work=60).process
    host = GrpcHost(sys.argv[1], check, process, process)
    await host.start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class Clock:
    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return time.monotonic()  # asked from threads, too


class Records:
    """Keeps records, or fails as told."""

    def __init__(self) -> None:
        self.kept: list[Record] = []
        self.fails = False
        self.hangs = False

    async def append(self, record: Record) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise Refused(Reason.RECORD_FAILED, "disk full")
        self.kept.append(record)


class World:
    """Envoy between a client and a tool, with a processor that each test chooses."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.victim_socket = ""
        self.reset()

    def reset(self) -> None:
        self.records = Records()
        self.handler = BodyHandler(self.records, Clock(), work=0.4, idle=0.4)
        self.process: Process = self.handler.process
        self.obligation = "response"
        self.rpc = ("", "")
        self.received = b""
        self.gate = asyncio.Event()
        self.script: Script = self.in_two_parts("json")

    def in_two_parts(self, kind: str) -> Script:
        """A tool that sends the second part of its answer once the gate opens."""

        async def script(writer: asyncio.StreamWriter) -> None:
            writer.write(HEADS[kind] + chunk(PARTS[kind][0]))
            await writer.drain()
            await self.gate.wait()
            writer.write(chunk(PARTS[kind][1]) + b"0\r\n\r\n")

        return script

    def answers(self, head: str, body: bytes) -> None:
        async def script(writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)

        self.script = script

    async def check(self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
        targets = ("request", "response") if self.obligation == "both" else (self.obligation,)
        redact: list[Json] = [
            {"kind": "redact", "target": target, "detectors": ["us_ssn"], "fields": []} for target in targets
        ]
        metadata = {
            "decision_id": "d-1",
            "obligations": json.dumps(redact),
            "rpc_id": self.rpc[0],
            "rpc_method": self.rpc[1],
        }
        told = {"x-aegis-decision": "sanitize"}
        upstream = {"x-aegis-obligation": self.obligation, "accept-encoding": "identity"}
        return write_check_response(Answer(Effect.SANITIZE, 0, 200, b"", told, {}, upstream, (), metadata, True))

    def process_with(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self.process(messages)

    async def serve_tool(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.received += head
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    self.received += await reader.readexactly(int(line.split(b":")[1]))
            await self.script(writer)
            await writer.drain()
        writer.close()

    def only_record(self) -> RedactionRecord:
        (record,) = self.records.kept
        assert isinstance(record, RedactionRecord)
        return record


class Caller:
    """A client that keeps every byte it sees."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = b""
        self._reader = reader
        self._writer = writer

    @property
    def status(self) -> int:
        return int(self.seen.split(b" ", 2)[1])

    @property
    def is_whole(self) -> bool:
        """Whether the answer ended in order, not cut."""
        return b"content-length:" in self.seen.lower() or self.seen.endswith(b"0\r\n\r\n")

    async def see(self, wanted: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while wanted not in self.seen:
                more = await self._reader.read(65536)
                assert more, f"the answer ended without {wanted!r}: {self.seen!r}"
                self.seen += more

    async def to_end(self, patience: float = PATIENCE) -> bytes:
        """All that was seen until the answer ended, or until nothing happened for `patience` seconds."""
        with suppress(TimeoutError, ConnectionError):
            while True:
                async with asyncio.timeout(patience):
                    more = await self._reader.read(65536)
                self.seen += more
                if not more:
                    break
        return self.seen

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def call(world: World, body: bytes = b"{}", port: str = "shared", path: str = "/x") -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports[port])
    head = f"POST {path} HTTP/1.1\r\nhost: tool\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    caller = Caller(reader, writer)
    try:
        yield caller
    finally:
        caller.close()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def unchunked(answer: bytes) -> bytes:
    body, rest = b"", answer.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


def leaked(data: bytes) -> bool:
    return any(part in data for part in RAW)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def envoy_config(world: World, folder: Path, tool_port: int) -> str:
    names = {"aegis": f"{folder}/aegis", "victim": world.victim_socket, "admin": f"{folder}/admin"}
    text = string.Template((Path(__file__).parent / "sanitize_envoy.yaml").read_text()).substitute(
        names, port=world.ports["shared"], tool_port=tool_port, access_log=f"{folder}/access.log"
    )
    config = yaml.safe_load(text)
    second = copy.deepcopy(config["static_resources"]["listeners"][0])
    second["name"] = "victim"
    second["address"]["socket_address"]["port_value"] = world.ports["victim"]
    chain = second["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    for action in chain[1]["typed_config"]["xds_matcher"]["matcher_tree"]["exact_match_map"]["map"].values():
        processor = action["action"]["typed_config"]["typed_config"]["typed_config"]
        processor["grpc_service"]["envoy_grpc"]["cluster_name"] = "victim"
    config["static_resources"]["listeners"].append(second)
    return json.dumps(config)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(envoy_binary: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-")))
        world = World()
        world.ports = {"shared": free_port(), "victim": free_port()}
        world.victim_socket = f"{folder}/victim"
        host = GrpcHost(f"unix:{folder}/aegis", world.check, world.process_with, world.process_with)
        await host.start()
        stack.push_async_callback(host.stop, 0.2)
        tool = await asyncio.start_server(world.serve_tool, "127.0.0.1", 0)
        stack.callback(tool.close)
        (folder / "envoy.json").write_text(envoy_config(world, folder, tool.sockets[0].getsockname()[1]))
        arguments = ("-c", str(folder / "envoy.json"), "--use-dynamic-base-id", "--concurrency", "1")
        envoy = await asyncio.create_subprocess_exec(
            str(envoy_binary), *arguments, "--log-path", str(folder / "envoy.log"), stderr=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(_stop, envoy)
        async with asyncio.timeout(PATIENCE):
            while not await _listens(world.ports["victim"]):
                assert envoy.returncode is None, (folder / "envoy.log").read_text()
        yield world


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        await asyncio.sleep(0.05)
        return False
    writer.close()
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> AsyncIterator[World]:
    running.reset()
    yield running
    running.gate.set()
    await running.handler.drain()


# What works when nothing goes wrong.


async def test_json_is_redacted_and_recorded_before_it_ends(world: World) -> None:
    world.gate.set()
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.status == 200 and caller.is_whole and not leaked(seen)
    assert b'{"first":"[REDACTED:us_ssn]","second":"[REDACTED:us_ssn]"}' in seen
    assert world.only_record() == RedactionRecord("d-1", Clock().now(), "response", {"us_ssn": 2}, "done")


async def test_events_arrive_one_by_one(world: World) -> None:
    world.script = world.in_two_parts("sse")
    async with call(world) as caller:
        await caller.see(b"[REDACTED:us_ssn]")
        world.gate.set()
        seen = await caller.to_end()
    assert seen.count(b"[REDACTED:us_ssn]") == 2 and caller.is_whole and not leaked(seen)


async def test_request_and_response_are_redacted_in_one_call(world: World) -> None:
    world.obligation = "both"
    world.gate.set()
    async with call(world, JSON_HALVES[0] + b'"n":1}') as caller:
        seen = await caller.to_end()
    assert caller.status == 200 and not leaked(seen + world.received)
    assert b'{"first":"[REDACTED:us_ssn]","n":1}' in world.received
    outcomes = [record.target for record in world.records.kept if isinstance(record, RedactionRecord)]
    assert outcomes == ["request", "response"]


async def test_a_body_larger_than_envoys_buffers_is_redacted(world: World) -> None:
    world.answers("200 OK\r\ncontent-type: application/json", json.dumps([FIRST.decode()] * 100_000).encode())
    world.handler = BodyHandler(world.records, Clock(), work=30)  # 100,000 matches on a busy machine
    world.process = world.handler.process
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.is_whole and not leaked(seen)
    assert json.loads(unchunked(seen)) == ["[REDACTED:us_ssn]"] * 100_000


async def test_a_body_with_trailers_is_whole_and_its_trailers_are_gone(world: World) -> None:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(HEADS["json"] + chunk(b"".join(JSON_HALVES)) + b"0\r\nx-note: " + FIRST + b"\r\n\r\n")

    world.script = script
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.status == 200 and seen.count(b"REDACTED") == 2 and not leaked(seen)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("204 No Content", b"", 204),
        ("404 Not Found\r\ncontent-type: text/plain", b"no " + FIRST, 404),
        (
            "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip",
            gzip.compress(JSON_HALVES[0], mtime=0),
            502,
        ),
        ("200 OK\r\ncontent-type: application/json", JSON_HALVES[0], 200),
        ("200 OK\r\ncontent-type: application/json", JSON_HALVES[0].decode().encode("utf-16"), 502),
        ("200 OK\r\ncontent-type: image/png", b"\x89PNG" + FIRST, 502),
        ("206 Partial Content\r\ncontent-range: bytes 0-9/20\r\ncontent-type: text/plain", b"123-45-678", 502),
    ],
)
async def test_odd_answers_keep_their_status_or_become_a_clean_502(
    world: World, head: str, body: bytes, status: int
) -> None:
    world.answers(head, body)
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.status == status and not leaked(seen) and b"123-45-678" not in seen
    assert (b"x-aegis-decision: sanitize" in seen) == (status != 502)
    if status == 502:
        assert b"RESPONSE_WITHHELD" in seen and b"x-aegis-decision: deny" in seen


async def test_an_address_with_something_to_redact_in_it_is_refused(world: World) -> None:
    world.obligation = "request"
    async with call(world, path="/x?ssn=123%2D45%2D6789") as caller:
        await caller.to_end()
    assert caller.status == 403 and world.received == b""
    assert b'"decision":"deny"' in caller.seen


# Every way to stop, at every point. `clean` is the trap.

POINTS = [("json", 0), ("json", 1), ("json", 2), ("sse", 0), ("sse", 1), ("sse", 2), ("request", 0), ("request", 1)]
WAYS = ["abort", "raise", "cancel", "hang", "wrong dialect"]


def stops(world: World, after: int, way: str) -> Process:
    """A processor that sees `after` messages and then stops in some way instead of going on."""

    async def some(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        for _ in range(after):
            yield await anext(messages)

    async def process(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for reply in world.handler.process(some(messages)):
                yield reply
        except StreamAborted:
            world.gate.set()
            if way == "abort":
                raise
            if way == "raise":
                raise RuntimeError("a defect") from None
            if way == "cancel":
                raise asyncio.CancelledError from None
            if way == "wrong dialect" and world.obligation == "request":
                yield streamed_reply(Target.REQUEST, b"{}", True)
            elif way == "wrong dialect":
                yield replaced_reply(Target.RESPONSE, b"{}", {})
            if way != "clean":
                await asyncio.Event().wait()

    return process


async def _stopped(world: World, kind: str, after: int, way: str) -> bytes:
    """Everything that client and tool saw of a body whose processor stopped."""
    world.handler = BodyHandler(world.records, Clock(), work=30, idle=30)
    world.process = stops(world, after, way)
    if kind == "request":
        world.obligation = "request"
        world.answers("200 OK", b"")
    else:
        world.script = world.in_two_parts(kind)
    async with call(world, b"".join(JSON_HALVES) if kind == "request" else b"{}") as caller:
        seen = await caller.to_end(STILL if way in ("hang", "cancel", "wrong dialect") else PATIENCE)
    return seen + world.received


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "after"), POINTS)
async def test_no_raw_byte_passes_however_the_processor_stops(world: World, kind: str, after: int, way: str) -> None:
    assert not leaked(await _stopped(world, kind, after, way))


@pytest.mark.parametrize(("kind", "after"), POINTS)
async def test_a_careless_clean_close_does_leak_so_the_guard_matters(world: World, kind: str, after: int) -> None:
    assert leaked(await _stopped(world, kind, after, "clean"))


@pytest.mark.parametrize("kind", ["json", "sse", "request"])
async def test_a_processor_that_is_killed_lets_nothing_through(world: World, kind: str) -> None:
    Path(world.victim_socket).unlink(missing_ok=True)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, f"unix:{world.victim_socket}", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert victim.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await victim.stdout.readline() == b"ready\n"
            if kind == "request":
                world.obligation = "request"
            else:
                world.script = world.in_two_parts(kind)
            async with call(world, b"".join(JSON_HALVES) if kind == "request" else b"{}", port="victim") as caller:
                if kind == "sse":
                    await caller.see(b"[REDACTED:us_ssn]")
                else:
                    world.gate.set()
                    assert await victim.stdout.readline() == b"recording\n"
                victim.send_signal(signal.SIGKILL)
                await victim.wait()
                world.gate.set()
                seen = await caller.to_end()
        assert not leaked(seen + world.received)
        assert caller.status == 500 if kind != "sse" else not caller.is_whole
    finally:
        await _stop(victim)


# Our own handler under faults of its own.


def _raises(*_: object) -> str:
    raise ValueError(f"quotes {FIRST.decode()}")


async def test_json_becomes_a_502_when_it_cannot_be_recorded(world: World) -> None:
    world.records.fails = True
    world.gate.set()
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.status == 502 and b"application/problem+json" in seen and not leaked(seen)


async def test_a_stream_of_mcp_ends_with_an_error_event_when_it_cannot_be_recorded(world: World) -> None:
    world.records.fails, world.rpc = True, ('"call-7"', "tools/call")
    world.script = world.in_two_parts("sse")
    async with call(world) as caller:
        await caller.see(b"[REDACTED:us_ssn]")
        world.gate.set()
        seen = await caller.to_end()
    error = json.loads(seen.rpartition(b"data: ")[2].split(b"\n")[0])
    assert error["id"] == "call-7" and error["error"]["data"]["aegis"]["reason"] == "RESPONSE_WITHHELD"
    assert caller.is_whole and not leaked(seen)


async def test_a_stream_without_a_request_to_answer_is_cut_when_it_cannot_be_recorded(world: World) -> None:
    world.records.fails = True
    world.script = world.in_two_parts("sse")
    async with call(world) as caller:
        world.gate.set()
        seen = await caller.to_end()
    assert not caller.is_whole and not leaked(seen)


async def test_the_tool_is_not_called_when_the_request_cannot_be_recorded(world: World) -> None:
    world.records.fails, world.obligation = True, "request"
    async with call(world, b"".join(JSON_HALVES)) as caller:
        seen = await caller.to_end()
    assert caller.status == 503 and b"RECORD_FAILED" in seen and world.received == b""


@pytest.mark.parametrize("obligation", ["request", "response"])
async def test_a_record_log_that_hangs_does_not_hang_the_call(world: World, obligation: str) -> None:
    world.records.hangs, world.obligation = True, obligation
    world.gate.set()
    async with call(world, b"".join(JSON_HALVES)) as caller:
        seen = await caller.to_end()
    assert caller.status == (503 if obligation == "request" else 502) and not leaked(seen)


@pytest.mark.parametrize("kind", ["json", "sse", "request"])
async def test_a_defect_in_the_redactor_is_not_a_leak_nor_in_the_log(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Sanitizer, "text", _raises)
    monkeypatch.setattr(Sanitizer, "json", _raises)
    world.gate.set()
    if kind == "request":
        world.obligation = "request"
    else:
        world.script = world.in_two_parts(kind)
    async with call(world, b"".join(JSON_HALVES) if kind == "request" else b"{}") as caller:
        seen = await caller.to_end()
    assert not leaked(seen + world.received)
    assert "ValueError" in caplog.text and not leaked(caplog.text.encode())
    await world.handler.drain()
    assert world.only_record().outcome == "withheld: INTERNAL_FAULT: ValueError"


async def test_json_that_stops_coming_becomes_a_502(world: World) -> None:
    async with call(world) as caller:
        seen = await caller.to_end()
    assert caller.status == 502 and not leaked(seen)


async def test_a_silent_stream_of_events_is_left_in_peace(world: World) -> None:
    world.script = world.in_two_parts("sse")
    async with call(world) as caller:
        await caller.see(b"[REDACTED:us_ssn]")
        await caller.to_end(3 * 0.4)  # three times what a held body may pause
        world.gate.set()
        seen = await caller.to_end()
    assert caller.is_whole and seen.count(b"[REDACTED:us_ssn]") == 2


async def test_the_head_of_a_stream_arrives_before_its_first_event(world: World) -> None:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(HEADS["sse"])
        await writer.drain()
        await world.gate.wait()
        writer.write(chunk(b"".join(PARTS["sse"])) + b"0\r\n\r\n")

    world.script = script
    async with call(world) as caller:
        await caller.see(b"\r\n\r\n")  # a client that waits for it, to know that it is connected, does not give up
        world.gate.set()
        seen = await caller.to_end()
    assert caller.is_whole and seen.count(b"[REDACTED:us_ssn]") == 2


async def test_a_client_that_goes_away_leaves_a_record_of_what_it_saw(world: World) -> None:
    recorded = asyncio.Event()

    class Telling(Records):
        async def append(self, record: Record) -> None:
            await super().append(record)
            recorded.set()

    world.records = Telling()
    world.handler = BodyHandler(world.records, Clock())
    world.process = world.handler.process
    world.script = world.in_two_parts("sse")
    async with call(world) as caller:
        await caller.see(b"[REDACTED:us_ssn]")
    async with asyncio.timeout(PATIENCE):
        await recorded.wait()
    assert world.only_record().counts == {"us_ssn": 1}
    assert world.only_record().outcome.startswith("cut")
