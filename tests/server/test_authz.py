"""The ext_authz handler alone. What its hosts carry to it is told by tests/contract/test_host_contract.py."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.check.pipeline import Pipeline
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.server.admission import Admission
from aegis_authz.server.authz import CheckHandler
from aegis_authz.wire.envoy.answer import Answer

DENY = Answer(Effect.DENY, 8, 503, b"", {"x-aegis-decision": "deny"}, {}, {}, (), {}, True)
ALLOW = Answer(Effect.ALLOW, 0, 200, b"", {"x-aegis-decision": "allow"}, {}, {}, (), {}, True)


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
        self.refused: list[Reason] = []

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

    async def refuse(self, reason: Reason, message: bytes, traceparent: str, deadline: float) -> Answer:
        self.refused.append(reason)
        return DENY


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


@pytest.mark.parametrize(
    "answer", [RuntimeError("bug"), None, Answer(Effect.DENY, 7, 403, b"\xff", {}, {}, {}, (), {}, True)]
)
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
    assert pipeline.refused == [Reason.OVERLOADED]
    pipeline.gate.set()
    assert kind(await first) == "ok_response"


async def test_to_drain_is_to_wait_for_every_call_under_way() -> None:
    pipeline = ScriptedPipeline()
    checks = handler(pipeline)
    calls = [asyncio.create_task(checks(b"", "", 1.0)) for _ in range(2)]
    await asyncio.wait_for(pipeline.started.wait(), 5)
    draining = asyncio.create_task(checks.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    pipeline.gate.set()
    await asyncio.wait_for(draining, 5)
    assert pipeline.finished == 2
    assert [kind(await call) for call in calls] == ["ok_response", "ok_response"]


async def test_there_is_nothing_to_drain_when_nothing_is_under_way() -> None:
    await asyncio.wait_for(handler(ScriptedPipeline()).drain(), 5)


async def test_the_trace_is_handed_on() -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    await handler(pipeline)(b"", "00-aa-bb-01", None)
    assert pipeline.traceparents == ["00-aa-bb-01"]
