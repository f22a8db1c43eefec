"""A refusal that is counted is answered as one that is recorded, for every kind of caller, and costs nobody a record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from envoy.service.auth.v3 import external_auth_pb2
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.system import SystemIds
from aegis_authz.check.decode import decode
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.refusal_tally import FULL_OF_A_SOURCE, MOST_WAITING
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import DecisionId
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, TOOL_EXTENSION, write_check_response
from tests.check.test_pipeline import GITHUB, SNAPSHOT, STRIPE, World, message, payment, tool_call

ROOT = replace(GITHUB, mcp_endpoint="/")
SNAPSHOTS: list[Snapshot | Exception] = [
    SNAPSHOT,
    replace(SNAPSHOT, catalogue=Catalogue.of((STRIPE,))),
    replace(SNAPSHOT, catalogue=Catalogue.of((STRIPE, ROOT))),
    Refused(Reason.NOT_READY, "no bundle yet"),
]
CALL = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "x", "arguments": {}}})
BODIES = [
    b"",
    CALL,
    CALL.replace(b"7", b'"~~\\u0000\\"id~"'),
    CALL.replace(b"{}", b'{"text":"%b"}' % (b"n" * 20_000)),
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}',
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
    b'{"jsonrpc":"2.0","id":3,"result":{"roots":[]}}',
    b"[%b]" % CALL,
    b"\xff{",
]
HEADERS = [
    {},
    {"content-length": b"1"},
    {"x-envoy-auth-partial-body": b"true"},
    {"traceparent": f"00-{'c' * 32}-{'d' * 16}-01".encode()},
]
ODD_CALLS = st.builds(
    message,
    st.sampled_from(["api.stripe.example", "github.example", "GITHUB.example:80", "github.example:443", "no host", ""]),
    st.sampled_from(["/v1/payments", "/mcp", "/mcp/", "/mcp?a=1", "/github/mcp", "/github", "/", "", "/mcp\u00e9"]),
    st.sampled_from(BODIES),
    st.sampled_from(HEADERS),
    st.sampled_from(["POST", "GET", "DELETE", "CONNECT", "", "no method"]),
)
"""Calls of tools by plain HTTP and by MCP, and those that nobody can read."""
HINTS = st.sampled_from(["", "github", "stripe", "nobody"])


def hinted(call: bytes, hint: str, is_ours: bool, is_doubled: bool) -> bytes:
    """The same call, entered by the reverse route of a tool, by a gateway that is none of ours, or told twice."""
    request = external_auth_pb2.CheckRequest.FromString(call)
    request.attributes.source.address.socket_address.address = "10.0.0.7"
    if hint:
        request.attributes.context_extensions[TOOL_EXTENSION] = hint
    if not is_ours:
        del request.attributes.context_extensions[LISTENER_EXTENSION]
    for _ in range(2 * is_doubled):
        request.attributes.request.http.header_map.headers.add(key="content-type", raw_value=b"text/plain")
    return request.SerializeToString()


class Named(SystemIds):
    """Gives one decision id for all."""

    def __init__(self, decision_id: str) -> None:
        super().__init__()
        self._decision_id = decision_id

    def decision_id(self) -> DecisionId:
        return DecisionId(self._decision_id)


@contextmanager
def crowded(pipeline: Pipeline) -> Iterator[None]:
    """A time at which no refusal has a record of its own: as many as may wait for the disk do."""
    with ExitStack() as waiting:
        for number in range(MOST_WAITING):
            waiting.enter_context(pipeline.recorder.tally.recording(Reason.OVERLOADED, f"10.1.0.{number}"))
        yield


async def refused(pipeline: Pipeline, request: bytes) -> Answer:
    return await pipeline.refuse(Reason.OVERLOADED, request, "", time.monotonic() + 1)


async def assert_the_same(world: World, request: bytes) -> bytes:
    """That what is shed is answered as what is refused, under the same id; returns the answer."""
    pipeline = world.pipeline()
    expected = write_check_response(await refused(pipeline, request))
    with crowded(pipeline):
        shed = pipeline.shed(Reason.OVERLOADED, request)
    assert shed == expected
    [refusal] = world.refusals
    assert (refusal.reason, refusal.effect) == (Reason.OVERLOADED, Effect.DENY)
    assert refusal.source == world.records[0].source
    return shed


@given(ODD_CALLS, HINTS, st.booleans(), st.booleans(), st.sampled_from(SNAPSHOTS))
async def test_a_refusal_that_is_counted_is_answered_as_one_that_is_recorded(
    call: bytes, hint: str, is_ours: bool, is_doubled: bool, snapshot: Snapshot | Exception
) -> None:
    await assert_the_same(World(snapshots=[snapshot]), hinted(call, hint, is_ours, is_doubled))


@given(st.binary(max_size=60), st.integers(0, 400))
async def test_bytes_that_are_no_request_are_refused_in_the_same_words(noise: bytes, at: int) -> None:
    await assert_the_same(World(), noise)
    await assert_the_same(World(), payment()[:at] + noise + payment()[at + len(noise) :])


@pytest.mark.parametrize(
    ("request_bytes", "status", "shape"),
    [
        (payment(), 503, "detail"),
        (b"\xff\xff", 503, "detail"),
        (tool_call(), 200, "result"),
        (message("github.example", "/mcp", BODIES[4], {}), 200, "error"),
        (message("github.example", "/mcp", b"", {}, "GET"), 503, "detail"),
    ],
    ids=["plain", "unreadable", "call", "request", "stream"],
)
async def test_each_kind_of_caller_is_answered_in_its_own_shape(request_bytes: bytes, status: int, shape: str) -> None:
    shed = external_auth_pb2.CheckResponse.FromString(await assert_the_same(World(), request_bytes))
    told = shed.denied_response
    assert (shed.status.code, told.status.code, shed.dynamic_metadata["decision_id"]) == (8, status, "d-1")
    headers = {option.header.key: option.header.value for option in told.headers}
    assert (headers["x-aegis-decision"], headers["x-aegis-decision-id"], headers["retry-after"]) == ("deny", "d-1", "1")
    assert shape in orjson.loads(told.body)


async def test_each_refusal_has_an_id_of_its_own_wherever_it_stands() -> None:
    world = World()
    pipeline = replace(world.pipeline(), ids=SystemIds())
    with crowded(pipeline):
        for _ in range(3):
            shed = pipeline.shed(Reason.OVERLOADED, payment())
            assert shed is not None
            told = external_auth_pb2.CheckResponse.FromString(shed)
            decision_id = told.dynamic_metadata["decision_id"]
            assert (
                orjson.loads(told.denied_response.body)["decision_id"] == decision_id == world.refusals[-1].decision_id
            )
            assert shed.count(decision_id.encode()) == 3
    assert len({refusal.decision_id for refusal in world.refusals}) == 3


@pytest.mark.interpreted  # `Named` inherits from what is compiled
@pytest.mark.parametrize("decision_id", ["e", "00", "0193a2f4-7c1e-7000-8000-000000000000"])
async def test_an_id_of_any_length_stands_where_it_belongs(decision_id: str) -> None:
    world = World()
    pipeline = replace(world.pipeline(), ids=Named(decision_id))
    expected = write_check_response(await refused(pipeline, payment()))
    with crowded(pipeline):
        assert pipeline.shed(Reason.OVERLOADED, payment()) == expected


async def test_of_a_question_that_cannot_be_read_it_is_recorded_where_it_came_from() -> None:
    world = World()
    question = replace(decode(hinted(payment(), "", is_ours=True, is_doubled=False)), is_question=True)
    doubled = replace(question, headers={"content-type": ("a/b", "c/d")})
    await world.pipeline().refuse(Reason.OVERLOADED, doubled, "", time.monotonic() + 1)
    assert [(record.source, record.host) for record in world.records] == [("10.0.0.7", "")]


async def test_the_first_of_a_second_are_left_to_be_recorded_and_all_are_on_record_or_counted() -> None:
    world = World()
    pipeline = world.pipeline()
    source = external_auth_pb2.CheckRequest.FromString(payment())
    source.attributes.source.address.socket_address.address = "10.0.0.7"
    for _ in range(50):
        if pipeline.shed(Reason.OVERLOADED, source.SerializeToString()) is None:
            await refused(pipeline, source.SerializeToString())
    await pipeline.recorder.keep_counts()
    assert len(world.records) == FULL_OF_A_SOURCE
    [count] = world.counts
    assert (count.count, count.sources) == (50 - FULL_OF_A_SOURCE, ("10.0.0.7",))
    assert len(world.told) + len(world.refusals) == 50


async def test_questions_beyond_the_first_are_counted_too_and_answered_the_same() -> None:
    world = World()
    pipeline = world.pipeline()
    question = replace(decode(payment()), is_question=True, path="/mcp", host="github.example")
    answers = [
        await pipeline.refuse(Reason.OVERLOADED, question, "", time.monotonic() + 1)
        for _ in range(FULL_OF_A_SOURCE + 5)
    ]
    assert (answers[0].status, answers[0].effect) == (503, Effect.DENY)
    assert all(answer == answers[0] for answer in answers)
    assert (len(world.records), len(world.refusals)) == (FULL_OF_A_SOURCE, 5)


async def test_one_who_sends_what_cannot_be_read_is_counted_as_soon_as_one_who_does_not() -> None:
    world = World()
    pipeline = world.pipeline()
    request = hinted(message("no host", "/", b"", {}), "", is_ours=True, is_doubled=False)
    recorded = 0
    for _ in range(50):
        if pipeline.shed(Reason.OVERLOADED, request) is None:
            await refused(pipeline, request)
            recorded += 1
    assert (recorded, len(world.refusals)) == (FULL_OF_A_SOURCE, 50 - FULL_OF_A_SOURCE)
    assert {(record.source, record.host) for record in world.records} == {("10.0.0.7", "")}


async def test_what_could_not_be_recorded_is_refused_and_what_comes_then_is_counted() -> None:
    world = World(record_fault=Refused(Reason.RECORD_FAILED, "the disk is full"))
    pipeline = world.pipeline()
    answers: list[Any] = []
    for _ in range(30):
        shed = pipeline.shed(Reason.OVERLOADED, payment())
        answers.append(write_check_response(await refused(pipeline, payment())) if shed is None else shed)
    assert len(set(answers)) == 1
    await pipeline.recorder.keep_counts()
    world.record_fault = None
    await pipeline.recorder.keep_counts()
    assert [count.count for count in world.counts] == [30 - FULL_OF_A_SOURCE]


async def test_nothing_is_asked_or_settled_for_what_is_shed() -> None:
    world = World()
    pipeline = world.pipeline()
    with crowded(pipeline):
        pipeline.shed(Reason.OVERLOADED, payment())
        pipeline.shed(Reason.OVERLOADED, tool_call())
    assert (world.asked, world.settled, world.records, world.told) == ([], [], [], [])
