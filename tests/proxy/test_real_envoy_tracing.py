"""Envoy's own spans, to a receiver that follows OTLP: decisions are their children, and no path stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aegis_authz.core.catalogue import Catalogue
from tests.proxy.conftest import tool, until
from tests.support.otlp_collector import grpc_collector

if TYPE_CHECKING:
    from tests.proxy.conftest import Authorizer, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def catalogue(server: ToolServer) -> Catalogue:
    return Catalogue.of((tool("pay", "pay.example", f"http://127.0.0.1:{server.port}"),))


UNREAD = ("x-envoy-internal", "x-forwarded-for")
"""What Envoy adds to a call unless it is let off: an authorizer reads none of it."""


@pytest.mark.parametrize("flag", ["01", "00"], ids=["sampled", "not sampled"])
async def test_a_decision_is_the_child_of_envoys_span_which_goes_on_from_the_callers(
    envoys: Starter, authorizer: Authorizer, server: ToolServer, flag: str
) -> None:
    with grpc_collector() as (receiver, url):
        async with envoys.running(
            f"traced-{flag}", catalogue(server), authorizer.place, collector=url.removeprefix("http://")
        ) as proxy:
            answer = await proxy.post(
                "http://pay.example/v1/people/078-05-1120?ssn=078-05-1120",
                b"{}",
                f"traceparent: 00-{TRACE}-{CALLER}-{flag}",
            )
            [head] = authorizer.heads
            parent = head["traceparent"]

            async def request_span() -> Span | None:
                return next((span for span in receiver.spans if span.parent_span_id.hex() == CALLER), None)

            await until(request_span)
    assert answer.status == 200
    spans = {exported.span_id.hex(): exported for exported in receiver.spans}
    assert (parent.split("-")[1], parent.split("-")[3]) == (TRACE, "01"), "no caller chooses that nothing is traced"
    assert parent.split("-")[2] in spans, "the span that the authorizer goes on from is one of Envoy's"
    assert {exported.trace_id.hex() for exported in spans.values()} == {TRACE}
    assert not [exported for exported in spans.values() if b"078-05-1120" in exported.SerializeToString()]


async def test_a_collector_that_is_away_costs_no_call_anything(
    envoys: Starter, authorizer: Authorizer, server: ToolServer
) -> None:
    async with envoys.running("untraced", catalogue(server), authorizer.place, collector="127.0.0.1:1") as proxy:
        answers = [await proxy.post("http://pay.example/v1/payments", b"{}") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(authorizer.checks) == 3
    assert not [name for head in authorizer.heads for name in head if name in UNREAD]
