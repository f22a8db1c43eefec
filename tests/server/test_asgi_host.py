"""The ASGI host, spoken to as a server speaks to an application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpc_health.v1 import health_pb2

from aegis_authz.server.asgi_host import AsgiHost
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.grpc_framing import (
    ABORTED,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    OK,
    UNAVAILABLE,
    UNIMPLEMENTED,
    frame,
)
from aegis_authz.server.grpc_health import CHECK as HEALTH_CHECK
from aegis_authz.server.grpc_health import WATCH as HEALTH_WATCH
from aegis_authz.server.host import BODY_SERVICE
from aegis_authz.wire.envoy import CHECK_METHOD

PROCESS_METHOD = f"/{BODY_SERVICE}/Process"
NOT_SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING).SerializeToString()


class Call:
    """One call, from the server's side."""

    def __init__(self, host: AsgiHost, method: str, **told: str) -> None:
        self.sent: list[dict[str, object]] = []
        self.spoke = asyncio.Event()
        self._events: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]
        scope = {"type": "http", "path": method, "headers": headers}
        self.task = asyncio.ensure_future(host(scope, self._events.get, self._send))

    async def _send(self, event: dict[str, object]) -> None:
        self.sent.append(event)
        self.spoke.set()

    def say(self, body: bytes, ended: bool = False) -> None:
        self._events.put_nowait({"type": "http.request", "body": body, "more_body": not ended})

    def leave(self) -> None:
        self._events.put_nowait({"type": "http.disconnect"})

    async def answered(self) -> tuple[int, bytes]:
        """The status it ended with, and all bodies. What a server expects was sent in its order."""
        await asyncio.wait_for(self.task, 5)
        kinds = [str(event["type"]).removeprefix("http.response.") for event in self.sent]
        assert kinds[0] == "start"
        assert kinds[-1] == "trailers"
        assert set(kinds[1:-1]) == {"body"}
        assert [event.get("more_body", False) for event in self.sent[1:-1]] == [True] * (len(kinds) - 3) + [False]
        return self.status(), b"".join(event["body"] for event in self.sent[1:-1])  # type: ignore[misc]

    def status(self) -> int:
        return int(dict(self.sent[-1]["headers"])[b"grpc-status"])  # type: ignore[call-overload, no-any-return]


class Handlers:
    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def check(self, message: bytes, traceparent: str, time_left: float | None) -> bytes:
        await self.gate.wait()
        if message == b"raise":
            raise RuntimeError("a bug")
        return b"%s %s %r" % (message, traceparent.encode("latin-1"), time_left)

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for message in messages:
            if message == b"abort":
                raise StreamAborted("incomplete")
            if message == b"raise":
                raise RuntimeError("a bug")
            yield message


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def host(handlers: Handlers) -> AsgiHost:
    one = AsgiHost(handlers.check, handlers.process)
    await one.start()
    return one


async def test_a_check_is_told_its_deadline_and_its_trace(host: AsgiHost) -> None:
    call = Call(host, CHECK_METHOD, grpc_timeout="1500m", traceparent="00-aa-bb-01")
    call.say(frame(b"question"))
    assert await call.answered() == (OK, frame(b"question 00-aa-bb-01 1.5"))


async def test_a_check_that_fails_ends_in_an_error_and_not_in_an_exception(host: AsgiHost) -> None:
    """Of an exception the server would make an HTTP 500 without a gRPC status."""
    call = Call(host, CHECK_METHOD)
    call.say(frame(b"raise"))
    assert await call.answered() == (INTERNAL, b"")


async def test_a_check_without_a_message_is_refused(host: AsgiHost) -> None:
    call = Call(host, CHECK_METHOD)
    call.say(b"", ended=True)
    assert await call.answered() == (INVALID_ARGUMENT, b"")
    gone = Call(host, CHECK_METHOD)
    gone.leave()
    assert await gone.answered() == (ABORTED, b"")


async def test_bodies_are_answered_as_they_come(host: AsgiHost) -> None:
    call = Call(host, PROCESS_METHOD)
    call.say(frame(b"first"))
    while len(call.sent) < 2:
        call.spoke.clear()
        await asyncio.wait_for(call.spoke.wait(), 5)
    call.say(frame(b"second"), ended=True)
    assert await call.answered() == (OK, frame(b"first") + frame(b"second"))


@pytest.mark.parametrize("rest", [frame(b"abort"), b"\x01\0\0\0\0", b"\0"], ids=["aborted", "compressed", "cut"])
async def test_a_stream_that_cannot_go_on_is_aborted(host: AsgiHost, rest: bytes) -> None:
    call = Call(host, PROCESS_METHOD)
    call.say(frame(b"first"))
    call.say(rest, ended=True)
    assert await call.answered() == (ABORTED, frame(b"first"))


async def test_a_stream_whose_caller_is_gone_is_aborted(host: AsgiHost) -> None:
    call = Call(host, PROCESS_METHOD)
    call.say(frame(b"first"))
    call.leave()
    assert (await call.answered())[0] == ABORTED


async def test_a_bug_in_a_stream_is_left_to_the_server_which_resets_it(host: AsgiHost) -> None:
    call = Call(host, PROCESS_METHOD)
    call.say(frame(b"raise"))
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(call.task, 5)
    assert "http.response.trailers" not in [event["type"] for event in call.sent]


async def test_health_is_told(host: AsgiHost) -> None:
    known, unknown = Call(host, HEALTH_CHECK), Call(host, HEALTH_CHECK)
    known.say(frame(b""))
    assert await known.answered() == (OK, frame(NOT_SERVING))
    unknown.say(frame(health_pb2.HealthCheckRequest(service="nobody").SerializeToString()))
    assert (await unknown.answered())[0] == NOT_FOUND


async def test_a_watch_lasts_until_its_caller_is_gone(host: AsgiHost) -> None:
    watch = Call(host, HEALTH_WATCH)
    watch.say(frame(b""), ended=True)
    while len(watch.sent) < 2:
        watch.spoke.clear()
        await asyncio.wait_for(watch.spoke.wait(), 5)
    watch.leave()
    assert await watch.answered() == (UNAVAILABLE, frame(NOT_SERVING))


async def test_a_watch_without_a_message_is_refused(host: AsgiHost) -> None:
    watch = Call(host, HEALTH_WATCH)
    watch.say(b"", ended=True)
    assert await watch.answered() == (INVALID_ARGUMENT, b"")


async def test_an_unknown_method_is_unimplemented(host: AsgiHost) -> None:
    assert await Call(host, "/unknown").answered() == (UNIMPLEMENTED, b"")


async def test_a_host_that_stops_waits_for_what_is_under_way_and_takes_nothing_new(
    host: AsgiHost, handlers: Handlers
) -> None:
    handlers.gate.clear()
    call = Call(host, CHECK_METHOD)
    call.say(frame(b"under way"))
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(host.stop(60))
    await asyncio.sleep(0)
    for method in (CHECK_METHOD, PROCESS_METHOD, HEALTH_CHECK, HEALTH_WATCH):
        assert await Call(host, method).answered() == (UNAVAILABLE, b"")
    assert not stopping.done()
    handlers.gate.set()
    assert (await call.answered())[0] == OK
    await asyncio.wait_for(stopping, 5)


async def test_a_host_that_stops_waits_no_longer_than_its_grace(host: AsgiHost, handlers: Handlers) -> None:
    handlers.gate.clear()
    call = Call(host, CHECK_METHOD)
    call.say(frame(b"for ever"))
    await asyncio.sleep(0)
    await asyncio.wait_for(host.stop(0.01), 5)
    assert not call.task.done()
    handlers.gate.set()
    await call.answered()
