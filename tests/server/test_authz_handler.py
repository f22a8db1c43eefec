"""The ext_authz handler, alone and behind the real grpc.aio host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from aegis_authz.check.pipeline import Pipeline
from aegis_authz.core.decision import Answer, Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.server.admission import Admission
from aegis_authz.server.authz import CheckHandler
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.grpc_host import BODY_SERVICE, GrpcHost
from aegis_authz.wire.envoy import SERVICE

ALLOW = Answer(Effect.ALLOW, 0, 200, b"", {"x-aegis-decision": "allow"}, {}, (), {})


class ScriptedPipeline:
    """A pipeline that answers when the test says so."""

    def __init__(self) -> None:
        self.clock = self
        self.gate = asyncio.Event()
        self.started = asyncio.Event()
        self.finished = 0
        self.deadlines: list[float] = []
        self.traceparents: list[str] = []
        self.answer: Any = ALLOW
        self.kept: list[Reason] = []
        self.ids = self.recorder = self

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def check(self, message: bytes, traceparent: str, deadline: float) -> Answer:
        self.deadlines.append(deadline - time.monotonic())
        self.traceparents.append(traceparent)
        self.started.set()
        await self.gate.wait()
        self.finished += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return cast(Answer, self.answer)

    def decision_id(self) -> str:
        return "d-1"

    async def keep(self, decision: Decision, draft: object, deadline: float) -> Decision:
        self.kept.append(decision.reason)
        return decision


def handler(pipeline: ScriptedPipeline, most: int = 4) -> CheckHandler:
    return CheckHandler(cast(Pipeline, pipeline), Admission(most, most, 0.02), reserve=0.02)


def kind(message: bytes) -> str:
    return str(external_auth_pb2.CheckResponse.FromString(message).WhichOneof("http_response"))


async def test_the_pipelines_answer_is_encoded() -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    assert kind(await handler(pipeline)(b"", "", 1.0)) == "ok_response"


async def test_time_is_kept_back_to_answer() -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    await handler(pipeline)(b"", "", 0.1)
    assert 0.06 < pipeline.deadlines[0] <= 0.08


@pytest.mark.parametrize("answer", [RuntimeError("bug"), None, Answer(Effect.DENY, 7, 403, b"\xff", {}, {}, (), {})])
async def test_whatever_goes_wrong_the_answer_is_a_denial(answer: Any) -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    pipeline.answer = answer
    assert kind(await handler(pipeline)(b"", "", 1.0)) == "denied_response"


async def test_calls_beyond_the_limit_are_refused_at_once() -> None:
    pipeline = ScriptedPipeline()
    checks = handler(pipeline, most=1)
    first = asyncio.create_task(checks(b"", "", 1.0))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    assert kind(await checks(b"", "", 1.0)) == "denied_response"
    assert pipeline.kept == [Reason.OVERLOADED]
    pipeline.gate.set()
    assert kind(await first) == "ok_response"


@pytest.fixture
async def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/authz.sock"


async def _echo_then_abort(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for message in messages:
        yield message
    raise StreamAborted("incomplete")


async def test_the_host_carries_bytes_deadline_and_trace(address: str) -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    host = GrpcHost(address, handler(pipeline), _echo_then_abort)
    await host.start()
    async with grpc.aio.insecure_channel(address) as channel:
        stub = external_auth_pb2_grpc.AuthorizationStub(channel)
        metadata = (("traceparent", "00-aa-bb-01"),)
        response = await stub.Check(external_auth_pb2.CheckRequest(), timeout=0.5, metadata=metadata)
        assert response.WhichOneof("http_response") == "ok_response"
    await host.stop(0)
    assert pipeline.traceparents == ["00-aa-bb-01"]
    assert pipeline.deadlines[0] < 0.49


async def test_health_is_red_at_first_and_tells_both_verdicts(address: str) -> None:
    host = GrpcHost(address, handler(ScriptedPipeline()), _echo_then_abort)
    await host.start()
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        async def ask(service: str) -> bool:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        assert [await ask(service) for service in ("", SERVICE, BODY_SERVICE)] == [False, False, False]
        await host.set_health(ready=False, serving=True)
        assert [await ask(service) for service in ("", SERVICE, BODY_SERVICE)] == [False, True, True]
    await host.stop(0)


async def test_a_body_stream_that_cannot_go_on_is_aborted_and_never_closed_cleanly(address: str) -> None:
    host = GrpcHost(address, handler(ScriptedPipeline()), _echo_then_abort)
    await host.start()
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream(f"/{BODY_SERVICE}/Process")(iter([b"a"]))
        assert await call.read() == b"a"
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() is grpc.StatusCode.ABORTED
    await host.stop(0)


async def test_a_caller_that_gives_up_does_not_stop_the_decision(address: str) -> None:
    pipeline = ScriptedPipeline()
    checks = handler(pipeline)
    host = GrpcHost(address, checks, _echo_then_abort)
    await host.start()
    async with grpc.aio.insecure_channel(address) as channel:
        call = external_auth_pb2_grpc.AuthorizationStub(channel).Check(external_auth_pb2.CheckRequest())
        await asyncio.wait_for(pipeline.started.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    pipeline.gate.set()
    await asyncio.wait_for(checks.drain(), 5)
    assert pipeline.finished == 1
    await host.stop(0)
