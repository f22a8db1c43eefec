"""One suite for the hosts of a worker: grpc.aio and our own HTTP/2 must look alike from outside."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from aegis_authz.server.host import MAX_MESSAGE
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD, SERVICE
from tests.support.host_caller import KINDS, PATIENCE, PROCESS_METHOD, Caller, Stream, Worker, running


@pytest.fixture(scope="module", params=["http2", "grpc"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def worker(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One for all tests that leave no trace."""
    with running(kind, tmp_path_factory.mktemp(kind)) as one:
        yield one


@pytest.fixture
def fresh_worker(kind: str, tmp_path: Path) -> Iterator[Worker]:
    with running(kind, tmp_path) as one:
        yield one


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Worker], Caller]]:
    callers: list[Caller] = []

    def connected(to: Worker) -> Caller:
        callers.append(Caller(to.address))
        return callers[-1]

    yield connected
    for caller in callers:
        await caller.channel.close()


@pytest.fixture
async def caller(worker: Worker, connect: Callable[[Worker], Caller]) -> Caller:
    one = connect(worker)
    await asyncio.wait_for(one.channel.channel_ready(), PATIENCE)
    return one


@pytest.fixture
async def fresh(fresh_worker: Worker, connect: Callable[[Worker], Caller]) -> Caller:
    one = connect(fresh_worker)
    await asyncio.wait_for(one.channel.channel_ready(), PATIENCE)
    return one


async def fault_of(call: grpc.aio.Call) -> grpc.StatusCode:
    """How a call ended, which must not be well."""
    code = await asyncio.wait_for(call.code(), PATIENCE)
    assert code is not grpc.StatusCode.OK
    return code


async def broken_off(stream: Stream) -> grpc.StatusCode:
    """How a stream ended, which must not be well."""
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await rest_of(stream)
    return fault.value.code()


async def rest_of(stream: Stream) -> list[bytes]:
    """What a stream still says until it ends, well or not."""
    return [message async for message in read_on(stream)]


async def read_on(stream: Stream) -> AsyncIterator[bytes]:
    while (message := await stream.read()) is not grpc.aio.EOF:
        yield message


async def test_a_check_arrives_with_its_bytes_its_trace_and_its_deadline(caller: Caller) -> None:
    every_byte = b"echo " + bytes(range(256))
    assert await caller.do(every_byte) == every_byte
    told = json.loads(await caller.call(b"told", timeout=5.0, traceparent="00-aa-bb-01"))
    assert told["traceparent"] == "00-aa-bb-01"
    assert 3.0 < told["time_left"] < 5.1  # gRPC rounds up


async def test_a_check_without_a_deadline_or_a_trace_says_so(caller: Caller) -> None:
    told = json.loads(await caller.channel.unary_unary(CHECK_METHOD)(b"told"))
    assert told == {"traceparent": "", "time_left": None}


async def test_a_check_is_told_that_its_caller_left_and_goes_on(caller: Caller) -> None:
    call = caller.channel.unary_unary(CHECK_METHOD)(b"linger alone")
    await caller.do(b"await started:alone")
    call.cancel()
    await caller.do(b"await left:alone")


async def test_a_check_is_told_that_the_connection_of_its_caller_is_lost(
    worker: Worker, caller: Caller, connect: Callable[[Worker], Caller]
) -> None:
    leaving = connect(worker)
    call = leaving.channel.unary_unary(CHECK_METHOD)(b"linger lost")
    await caller.do(b"await started:lost")
    await leaving.channel.close()
    await caller.do(b"await left:lost")
    assert await fault_of(call) is grpc.StatusCode.CANCELLED


async def test_a_message_may_be_empty(caller: Caller) -> None:
    assert await caller.do(b"") == b""


async def test_an_answer_that_is_there_at_once_arrives_as_any_other(caller: Caller) -> None:
    held = asyncio.ensure_future(caller.do(b"hold behind"))
    await caller.do(b"await started:behind")
    large = b"now " + bytes(5_000_000)
    assert await asyncio.gather(*map(caller.do, (b"now ", b"now this", large))) == [b"now ", b"now this", large]
    await caller.do(b"note release:behind")
    assert await held == b"hold behind"


async def test_large_messages_go_both_ways(caller: Caller) -> None:
    large = b"echo " + os.urandom(5_000_000)
    assert await caller.do(large) == large
    stream = await caller.begun(b"echo")
    await stream.write(large)
    assert await stream.read() == large


async def test_calls_at_the_same_time_get_each_its_own_answer(caller: Caller) -> None:
    asked = [b"meet 300 %d" % number for number in range(300)]
    assert await asyncio.gather(*map(caller.do, asked)) == asked


async def test_an_unknown_method_is_unimplemented(caller: Caller) -> None:
    for method in (f"/{SERVICE}/Chec", f"/{SERVICE}/", "/"):
        assert await fault_of(caller.channel.unary_unary(method)(b"")) is grpc.StatusCode.UNIMPLEMENTED
        stream = caller.channel.stream_stream(method)()
        assert await fault_of(stream) is grpc.StatusCode.UNIMPLEMENTED


async def test_a_bug_in_a_check_is_an_error(caller: Caller) -> None:
    assert await fault_of(caller.call(b"raise")) in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    assert await caller.do(b"echo") == b"echo"


async def test_a_caller_that_gives_up_does_not_stop_a_check(caller: Caller) -> None:
    call = caller.call(b"hold given-up")
    await caller.do(b"await started:given-up")
    call.cancel()
    await caller.do(b"note release:given-up")
    await caller.do(b"await finished:given-up")


async def test_a_check_whose_deadline_passes_is_not_stopped(caller: Caller) -> None:
    call = caller.call(b"hold late", timeout=0.2)
    await caller.do(b"await started:late")
    assert await fault_of(call) is grpc.StatusCode.DEADLINE_EXCEEDED
    await caller.do(b"note release:late")
    await caller.do(b"await finished:late")


async def test_a_message_that_is_too_long_is_refused(caller: Caller) -> None:
    refused = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN)
    assert await fault_of(caller.call(bytes(MAX_MESSAGE + 1))) in refused
    stream = await caller.begun(b"echo too-long")
    sending = asyncio.create_task(stream.write(bytes(MAX_MESSAGE + 1)))
    await fault_of(stream)
    await asyncio.gather(sending, return_exceptions=True)
    await caller.do(b"await closed:too-long")


async def test_a_stream_is_answered_in_order_and_ends_well_when_its_caller_is_done(caller: Caller) -> None:
    stream = await caller.begun(b"echo ordered")
    for message in (b"a", b"", b"c"):
        await stream.write(message)
        assert await stream.read() == message
    await stream.done_writing()
    assert await rest_of(stream) == []
    assert await stream.code() is grpc.StatusCode.OK
    await caller.do(b"await closed:ordered")


async def test_thousands_of_small_messages_keep_their_order(caller: Caller) -> None:
    sent = [b"%d" % number for number in range(5_000)]

    async def each() -> AsyncIterator[bytes]:
        yield b"echo"
        for message in sent:
            yield message

    stream = caller.channel.stream_stream(PROCESS_METHOD)(each(), timeout=PATIENCE)
    assert await rest_of(stream) == [b"echo", *sent]
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_stream_that_cannot_go_on_is_aborted_and_never_ended_well(caller: Caller) -> None:
    stream = await caller.begun(b"abort")
    assert await broken_off(stream) is grpc.StatusCode.ABORTED


async def test_a_stream_whose_caller_is_done_is_aborted_all_the_same(caller: Caller) -> None:
    stream = await caller.begun(b"abort")
    await stream.done_writing()
    assert await broken_off(stream) is grpc.StatusCode.ABORTED


async def test_a_bug_in_a_stream_is_an_error(caller: Caller) -> None:
    stream = caller.stream()
    await stream.write(b"raise broken")
    await broken_off(stream)
    await caller.do(b"await closed:broken")


async def test_a_cancelled_stream_closes_its_handler_and_nothing_else(caller: Caller) -> None:
    other, stream = await caller.begun(b"echo other"), await caller.begun(b"silent cancelled")
    stream.cancel()
    await caller.do(b"await closed:cancelled")
    await other.write(b"still there")
    assert await other.read() == b"still there"


async def test_a_cancelled_stream_closes_a_handler_that_only_talks(caller: Caller) -> None:
    stream = caller.stream()
    await stream.write(b"flood talker 1000000 10000")
    await stream.read()
    stream.cancel()
    await caller.do(b"await closed:talker")
    assert int(await caller.do(b"count sent:talker")) < 1_000_000


async def test_a_caller_that_is_gone_closes_its_handlers(
    caller: Caller, worker: Worker, connect: Callable[[Worker], Caller]
) -> None:
    leaving = connect(worker)
    await leaving.begun(b"silent gone")
    call = leaving.call(b"hold gone")
    await caller.do(b"await started:gone")
    await leaving.channel.close()
    await caller.do(b"await closed:gone")
    await caller.do(b"note release:gone")
    await caller.do(b"await finished:gone")
    assert call.done()


async def test_a_slow_reader_holds_its_handler_back(caller: Caller, worker: Worker) -> None:
    pieces, size = 256, 256 * 1024
    before = worker.memory()
    stream = caller.stream()
    await stream.write(b"flood slow %d %d" % (pieces, size))
    await stream.done_writing()
    assert await stream.read() == bytes(size)
    await many_turns(caller)
    assert int(await caller.do(b"count sent:slow")) < pieces // 2
    assert worker.memory() - before < pieces * size // 2
    assert len(await rest_of(stream)) == pieces - 1
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_handler_that_does_not_read_holds_its_caller_back(caller: Caller, worker: Worker) -> None:
    pieces, size = 256, 256 * 1024
    stream = await caller.begun(b"deaf deaf")
    before = worker.memory()
    written = 0

    async def write_all() -> None:
        nonlocal written
        for _ in range(pieces):
            await stream.write(bytes(size))
            written += 1
        await stream.done_writing()

    writing = asyncio.create_task(write_all())
    await many_turns(caller)
    assert written < pieces // 2
    assert worker.memory() - before < pieces * size // 2
    await caller.do(b"note release:deaf")
    assert await rest_of(stream) == []
    await writing
    assert await stream.code() is grpc.StatusCode.OK
    assert int(await caller.do(b"count read:deaf")) == pieces


async def test_an_access_log_reaches_its_own_handler_and_is_answered_once(caller: Caller) -> None:
    log = caller.log()
    for message in (b"first", b"second"):
        await log.write(message)
        await caller.do(b"await logged:" + message)
    await log.done_writing()
    assert await log == b"thanks"


async def test_an_access_log_that_is_not_read_holds_its_sender_back_and_no_check(
    caller: Caller, worker: Worker
) -> None:
    pieces, size = 256, 256 * 1024
    before, log = worker.memory(), caller.log()
    await log.write(b"deaf")
    await caller.do(b"await logged:deaf")
    seen = int(await caller.do(b"count logged"))
    written = 0

    async def write_all() -> None:
        nonlocal written
        for _ in range(pieces):
            await log.write(bytes(size))
            written += 1
        await log.done_writing()

    writing = asyncio.create_task(write_all())
    await many_turns(caller)
    assert written < pieces // 2
    assert worker.memory() - before < pieces * size // 2
    await caller.do(b"note release:deaf-log")
    assert await log == b"thanks"
    await writing
    assert int(await caller.do(b"count logged")) == seen + pieces


async def many_turns(caller: Caller) -> None:
    """Time enough for whatever nobody holds back."""
    for _ in range(100):
        await caller.do(b"echo")


async def test_health_is_red_at_first_and_tells_both_verdicts(fresh: Caller) -> None:
    assert await fresh.healths() == [False, False, False]
    watches = [
        fresh.health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        for service in ("", SERVICE, "nobody")
    ]
    assert [(await watch.read()).status for watch in watches] == [
        KINDS.NOT_SERVING,
        KINDS.NOT_SERVING,
        KINDS.SERVICE_UNKNOWN,
    ]
    await fresh.do(b"health 0 1")
    assert await fresh.healths() == [False, True, True]
    assert (await watches[1].read()).status == KINDS.SERVING
    await fresh.do(b"health 1 1")
    assert await fresh.healths() == [True, True, True]
    assert (await watches[0].read()).status == KINDS.SERVING
    watches[0].cancel()
    await fresh.do(b"health 1 0")
    assert (await watches[1].read()).status == KINDS.NOT_SERVING


async def test_health_of_an_unknown_service_is_not_found(caller: Caller) -> None:
    asked = health_pb2.HealthCheckRequest(service="nobody")
    assert await fault_of(caller.health.Check(asked, timeout=PATIENCE)) is grpc.StatusCode.NOT_FOUND


async def _shut(worker: Worker) -> None:
    """Wait until nobody listens at the worker's address."""
    with suppress(ConnectionRefusedError, FileNotFoundError):
        while True:
            _, writer = await asyncio.open_unix_connection(worker.address.removeprefix("unix:"))
            writer.close()


async def test_a_host_that_stops_lets_calls_finish_and_takes_no_new_ones(
    fresh: Caller, fresh_worker: Worker, connect: Callable[[Worker], Caller]
) -> None:
    commands = fresh.stream()
    await commands.write(b"commands")
    call = fresh.call(b"hold under-way")
    for command in (b"await started:under-way", b"stop %f" % PATIENCE):
        await commands.write(command)
        assert await commands.read() == command
    async with asyncio.timeout(PATIENCE):
        # a call that crosses the stop may wait in gRPC's core until the host is gone: none comes before the door is shut
        await _shut(fresh_worker)
        assert await fault_of(connect(fresh_worker).call(b"echo")) is grpc.StatusCode.UNAVAILABLE
    await commands.write(b"note release:under-way")
    assert await call == b"hold under-way"
    await commands.done_writing()
    await rest_of(commands)
    assert await commands.code() is grpc.StatusCode.OK
    assert await asyncio.to_thread(fresh_worker.process.wait, PATIENCE) == 0


async def test_what_a_stopping_host_cannot_finish_ends_in_an_error(fresh: Caller, fresh_worker: Worker) -> None:
    call, stream = fresh.call(b"hold for-ever"), await fresh.begun(b"echo for-ever")
    watch = fresh.health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    await watch.read()
    await fresh.do(b"await started:for-ever")
    await fresh.do(b"stop 0.1")
    await fault_of(call)
    await broken_off(stream)
    await broken_off(watch)
    assert await asyncio.to_thread(fresh_worker.process.wait, PATIENCE) == 0


async def test_a_large_answer_is_sent_to_its_end_by_a_host_that_stops(fresh: Caller, fresh_worker: Worker) -> None:
    call = fresh.call(b"hold large " + bytes(5_000_000))
    await fresh.do(b"await started:large")
    commands = fresh.stream()
    for command in (b"commands", b"stop %f" % PATIENCE, b"note release:large"):
        await commands.write(command)
    await commands.done_writing()
    assert len(await call) > 5_000_000
    assert await asyncio.to_thread(fresh_worker.process.wait, PATIENCE) == 0
