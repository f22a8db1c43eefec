"""The receiver, asked by OTLP over HTTP as a worker asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio

from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.telemetry_terms import UNSAID
from aegis_authz.demo.use_cases.span_receiver import TRACES_PATH, SpanReceiver
from aegis_authz.telemetry.otlp import export_request, resource_frame
from aegis_authz.telemetry.spans import DecisionSpans, SpanTerms
from tests.support.made_records import DENIED
from tests.support.span_queue import SpanMemory

RECORD = replace(DENIED, decision_id="01999999-aaaa-7bbb-8ccc-ddddeeeeffff", stages={"evaluate": 1.5})


def request_of(record: DecisionRecord) -> bytes:
    queue = SpanMemory()
    DecisionSpans(queue, SpanTerms(1.0, False, lambda: (b"k" * 32,))).emit(record, DecisionTrace("", (), UNSAID))
    return export_request(resource_frame({}), "aegis", [span.SerializeToString() for span in queue.spans])


@pytest.fixture
def receiver() -> SpanReceiver:
    return SpanReceiver()


@pytest_asyncio.fixture
async def worker(receiver: SpanReceiver) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(receiver.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://collector") as client:
        yield client


async def test_a_denial_is_read_with_its_attributes_event_and_child(
    receiver: SpanReceiver, worker: httpx.AsyncClient
) -> None:
    answer = await worker.post(TRACES_PATH, content=request_of(RECORD))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    [view] = await receiver.views([RECORD.decision_id], 10)
    assert view.trace_id == RECORD.decision_id.replace("-", "")
    assert (view.name, view.events, view.children) == ("aegis.check", ("PolicyViolation",), ("opa evaluate",))
    assert view.attributes["aegis.reason"] == "POLICY_DENIED"
    assert view.attributes["aegis.policy"] == "acme/emea/finance-agent"
    assert view.attributes["aegis.stage.evaluate_ms"] == "1.5"


async def test_a_span_that_comes_later_is_waited_for(receiver: SpanReceiver, worker: httpx.AsyncClient) -> None:
    views = asyncio.create_task(receiver.views([RECORD.decision_id], 10))
    await worker.post(
        TRACES_PATH, content=request_of(replace(RECORD, decision_id="01999999-aaaa-7bbb-8ccc-000000000000"))
    )
    assert not views.done()
    await worker.post(TRACES_PATH, content=request_of(RECORD))
    assert [view.decision_id for view in await views] == [RECORD.decision_id]


async def test_spans_that_never_come_are_left_out(receiver: SpanReceiver, worker: httpx.AsyncClient) -> None:
    await worker.post(TRACES_PATH, content=request_of(RECORD))
    views = await receiver.views([RECORD.decision_id, "another"], 0.01)
    assert [view.decision_id for view in views] == [RECORD.decision_id]


async def test_what_is_no_request_is_refused(worker: httpx.AsyncClient) -> None:
    assert (await worker.post(TRACES_PATH, content=b"\xff")).status_code == 400
