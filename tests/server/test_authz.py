"""The ext_authz handler alone. What its hosts carry to it is told by tests/contract/test_host_contract.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from envoy.service.auth.v3 import external_auth_pb2
from prometheus_client import CollectorRegistry

from aegis_authz.check.draft import Draft
from aegis_authz.check.hold import Hold, Judgement
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Seconds
from aegis_authz.ports.data_plane import Clock
from aegis_authz.server.admission import Admission
from aegis_authz.server.authz import CheckHandler, CheckTimes, DecisionPoint
from aegis_authz.server.holding import HoldBounds, Holds
from aegis_authz.telemetry.holds import HoldMetrics
from aegis_authz.wire.envoy.answer import Answer

DENY = Answer(Effect.DENY, 8, 503, b"", {"x-aegis-decision": "deny"}, {}, {}, (), {}, True)
ALLOW = Answer(Effect.ALLOW, 0, 200, b"", {"x-aegis-decision": "allow"}, {}, {}, (), {}, True)


class ScriptedPipeline:
    """A pipeline that answers when the test says so."""

    def __init__(self) -> None:
        self.clock = self
        self.states_now: list[ApprovalState | None] = [ApprovalState.PENDING]
        self.gate = asyncio.Event()
        self.started = asyncio.Event()
        self.finished = 0
        self.deadlines: list[float] = []
        self.traceparents: list[str] = []
        self.answer: Any = ALLOW
        self.refused: list[Reason] = []
        self.shed_for: list[Reason] = []
        self.shed_as: bytes | Exception | None = None
        self.resumed: list[Hold | None] = []
        self.hold: Hold | None = None

    async def states(self, names: Sequence[ApprovalId]) -> Sequence[ApprovalState | None]:
        return self.states_now * len(names)

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def judged(self, message: bytes, traceparent: str, deadline: float, resumes: Hold | None) -> Judgement:
        self.deadlines.append(deadline - time.monotonic())
        self.traceparents.append(traceparent)
        self.started.set()
        await self.gate.wait()
        self.finished += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        self.resumed.append(resumes)
        return Judgement(cast(Answer, self.answer), self.hold if resumes is None else None)

    async def deny(self, hold: Hold, reason: Reason, deadline: float) -> Answer:
        self.deadlines.append(deadline - time.monotonic())
        self.refused.append(reason)
        return DENY

    async def refuse(self, reason: Reason, message: bytes, traceparent: str, deadline: float) -> Answer:
        self.refused.append(reason)
        return DENY

    def shed(self, reason: Reason, message: bytes) -> bytes | None:
        self.shed_for.append(reason)
        if isinstance(self.shed_as, Exception):
            raise self.shed_as
        return self.shed_as


def handler(pipeline: ScriptedPipeline, most: int = 4) -> CheckHandler:
    holds = Holds(pipeline, HoldBounds(4, 4, 4, Seconds(60.0)), HoldMetrics(CollectorRegistry()), pipeline)
    return CheckHandler(cast(DecisionPoint, pipeline), Admission(most, most, 0.02), CheckTimes(0.25, 0.02), holds)


async def asked(checks: CheckHandler, time_left: float | None = 1.0, gone: asyncio.Event | None = None) -> bytes:
    answer = checks(b"", "00-aa-bb-01", time_left, gone or asyncio.Event())
    return answer if isinstance(answer, bytes) else await answer


def kind(message: bytes) -> str:
    return str(external_auth_pb2.CheckResponse.FromString(message).WhichOneof("http_response"))


async def test_the_pipelines_answer_is_encoded() -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    assert kind(await asked(handler(pipeline))) == "ok_response"


async def test_time_is_kept_back_to_answer() -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    await asked(handler(pipeline), 0.1)
    assert 0.06 < pipeline.deadlines[0] <= 0.08


@pytest.mark.parametrize(
    "answer", [RuntimeError("bug"), None, Answer(Effect.DENY, 7, 403, b"\xff", {}, {}, {}, (), {}, True)]
)
async def test_whatever_goes_wrong_the_answer_is_a_denial(answer: Any) -> None:
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    pipeline.answer = answer
    assert kind(await asked(handler(pipeline))) == "denied_response"


async def test_calls_beyond_the_limit_are_refused_at_once() -> None:
    pipeline = ScriptedPipeline()
    checks = handler(pipeline, most=1)
    first = asyncio.create_task(asked(checks))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    assert kind(await asked(checks)) == "denied_response"
    assert pipeline.refused == [Reason.OVERLOADED]
    pipeline.gate.set()
    assert kind(await first) == "ok_response"


async def test_a_refusal_that_is_only_counted_is_there_at_once() -> None:
    pipeline = ScriptedPipeline()
    pipeline.shed_as = b"shed"
    checks = handler(pipeline, most=1)
    first = asyncio.create_task(asked(checks))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    assert pipeline.shed_for == []
    assert checks(b"", "", 1.0, asyncio.Event()) == b"shed"
    assert (pipeline.shed_for, pipeline.refused) == ([Reason.OVERLOADED], [])
    pipeline.gate.set()
    assert kind(await first) == "ok_response"


async def test_calls_that_come_together_are_refused_as_soon_as_one_of_them_took_the_last_room() -> None:
    pipeline = ScriptedPipeline()
    pipeline.shed_as = b"shed"
    checks = handler(pipeline, most=1)
    works = [checks(b"", "", 1.0, asyncio.Event()) for _ in range(3)]
    first, *others = [asyncio.create_task(work) for work in works if not isinstance(work, bytes)]
    assert await asyncio.gather(*others) == [b"shed", b"shed"]
    pipeline.gate.set()
    assert kind(await first) == "ok_response"


async def test_a_refusal_that_goes_wrong_is_a_denial_and_takes_no_room() -> None:
    pipeline = ScriptedPipeline()
    pipeline.shed_as = RuntimeError("bug")
    checks = handler(pipeline, most=1)
    first = asyncio.create_task(asked(checks))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    assert kind(await asked(checks)) == "denied_response"
    pipeline.gate.set()
    assert kind(await first) == "ok_response"
    assert kind(await asked(checks)) == "ok_response"


async def test_to_drain_is_to_wait_for_every_call_under_way() -> None:
    pipeline = ScriptedPipeline()
    checks = handler(pipeline)
    calls = [asyncio.create_task(asked(checks)) for _ in range(2)]
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
    await asked(handler(pipeline), None)
    assert pipeline.traceparents == ["00-aa-bb-01"]


NEEDED = Answer(Effect.APPROVAL_NEEDED, 7, 403, b"", {"x-aegis-decision": "approval_needed"}, {}, {}, (), {}, True)


def holding(is_final: bool = False) -> ScriptedPipeline:
    """A pipeline whose first answer is held, and that lets through what goes on."""
    pipeline = ScriptedPipeline()
    pipeline.gate.set()
    draft = Draft.begin("d-1", "", "", cast(Clock, pipeline))
    scope = Scope("acme", "emea", "bot")
    pipeline.hold = Hold(
        draft, (), NEEDED, scope, ApprovalId("apr_1"), Seconds(20.0), time.time() + 900, is_final, None
    )
    return pipeline


async def test_a_held_request_that_is_approved_is_judged_once_more_and_passes() -> None:
    pipeline = holding()
    call = asyncio.create_task(asked(handler(pipeline), 30.0))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    pipeline.states_now = [ApprovalState.APPROVED]
    assert kind(await asyncio.wait_for(call, 5)) == "ok_response"
    assert pipeline.resumed == [None, pipeline.hold]
    assert max(pipeline.deadlines) <= 1.0, "the time for the hold is no time for a decision"


@pytest.mark.parametrize(
    ("state", "reason"),
    [(ApprovalState.DENIED, Reason.APPROVAL_DENIED), (ApprovalState.CANCELLED, Reason.APPROVAL_NOT_GRANTED)],
)
async def test_a_held_request_that_a_person_refuses_is_denied_and_not_judged_again(
    state: ApprovalState, reason: Reason
) -> None:
    pipeline = holding()
    pipeline.states_now = [state]
    assert kind(await asked(handler(pipeline), 30.0)) == "denied_response"
    assert (pipeline.refused, pipeline.resumed) == ([reason], [None])
    assert max(pipeline.deadlines) <= 1.0, "the time for the hold is no time for the record"


async def test_a_held_request_is_not_kept_open_where_its_caller_gives_up_before() -> None:
    pipeline = holding()
    began = time.monotonic()
    assert kind(await asked(handler(pipeline), 0.2)) == "denied_response"
    assert time.monotonic() - began < 0.2
    assert pipeline.resumed == [None]


async def test_a_held_request_takes_nothing_of_the_admission_while_it_waits() -> None:
    pipeline = holding()
    checks = handler(pipeline, most=1)
    call = asyncio.create_task(asked(checks, 30.0))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    while not pipeline.resumed:
        await asyncio.sleep(0)
    hold, pipeline.hold = pipeline.hold, None
    assert kind(await asked(checks)) == "ok_response"
    pipeline.states_now = [ApprovalState.APPROVED]
    assert kind(await asyncio.wait_for(call, 5)) == "ok_response"
    assert pipeline.resumed == [None, None, hold]


async def test_a_worker_that_stops_answers_at_once_what_it_holds() -> None:
    pipeline = holding()
    checks = handler(pipeline)
    call = asyncio.create_task(asked(checks, 30.0))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    checks.drain_holds()
    assert kind(await asyncio.wait_for(call, 5)) == "denied_response"
    assert pipeline.resumed == [None]


async def test_a_caller_that_left_is_waited_for_by_nobody_and_uses_no_approval() -> None:
    pipeline, gone = holding(), asyncio.Event()
    call = asyncio.create_task(asked(handler(pipeline), 30.0, gone))
    await asyncio.wait_for(pipeline.started.wait(), 5)
    gone.set()
    pipeline.states_now = [ApprovalState.APPROVED]
    await asyncio.wait_for(call, 5)
    assert pipeline.resumed == [None]


async def test_what_is_denied_unless_somebody_decides_is_denied_however_the_wait_ends() -> None:
    crowded, left, drained, held_anew = (holding(is_final=True) for _ in range(4))
    gone = asyncio.Event()
    gone.set()
    stopping = handler(drained)
    stopping.drain_holds()
    held_anew.states_now, held_anew.answer = [ApprovalState.USED], NEEDED
    for pipeline, call in (
        (crowded, asked(handler(crowded), 0.2)),
        (left, asked(handler(left), 30.0, gone)),
        (drained, asked(stopping, 30.0)),
        (held_anew, asked(handler(held_anew), 30.0)),
    ):
        assert kind(await asyncio.wait_for(call, 5)) == "denied_response"
        assert pipeline.refused == [Reason.APPROVAL_UNATTENDED]
        assert max(pipeline.deadlines) <= 1.0


async def test_what_is_approved_in_time_passes_also_where_it_would_be_denied() -> None:
    pipeline = holding(is_final=True)
    pipeline.states_now = [ApprovalState.APPROVED]
    assert kind(await asyncio.wait_for(asked(handler(pipeline), 30.0), 5)) == "ok_response"
    assert pipeline.refused == []
