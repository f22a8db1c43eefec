"""Spans of decisions through a real OpenTelemetry Collector, by both transports: what it sends on is what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aegis_authz.adapters.otlp import Collector, Protocol, sender_of
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.telemetry_terms import UNSAID
from aegis_authz.core.units import Seconds
from aegis_authz.telemetry.otlp import export_request, rejected_spans, resource_frame
from aegis_authz.telemetry.spans import DecisionSpans, SpanTerms
from tests.support.conformance_suite import free_port
from tests.support.made_records import DENIED
from tests.support.otlp_collector import Receiver, await_spans, http_collector
from tests.support.real_otelcol import running_collector
from tests.support.span_queue import SpanMemory, attributes_of

pytestmark = pytest.mark.slow

PATIENCE = Seconds(30.0)
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass(frozen=True)
class Running:
    """Where the collector takes each protocol, and who gets what it sends on."""

    urls: dict[Protocol, str]
    receiver: Receiver


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    grpc, http, own = free_port(), free_port(), free_port()
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": own}}}}
    with http_collector() as (receiver, url):
        config = {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": {"otlphttp": {"traces_endpoint": f"{url}/v1/traces", "compression": "none"}},
            "service": {
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlphttp"]}},
                "telemetry": {"metrics": {"readers": [reader]}},
            },
        }
        with running_collector(tmp_path_factory.mktemp("otelcol"), config, http):
            urls = {Protocol.GRPC: f"http://127.0.0.1:{grpc}", Protocol.HTTP: f"http://127.0.0.1:{http}"}
            yield Running(urls, receiver)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_real_collector_takes_a_denial_with_its_event_parent_and_child(
    collector: Running, protocol: Protocol
) -> None:
    queue = SpanMemory()
    trace = DecisionTrace(f"00-{TRACE}-{CALLER}-01", (), UNSAID)
    terms = SpanTerms(1.0, False, lambda: (b"k" * 32,))
    DecisionSpans(queue, terms).emit(replace(DENIED, stages={"evaluate": 1.5}), trace)
    request = export_request(
        resource_frame({"service.name": "aegis"}), "aegis", [span.SerializeToString() for span in queue.spans]
    )
    before = len(collector.receiver.spans)
    place = Collector(collector.urls[protocol], protocol, {}, None, None, None)
    with closing(sender_of(place, rejected_spans)) as sender:
        assert sender(request, PATIENCE) == 0
    sent_on = await_spans(collector.receiver, before + len(queue.spans))[before:]
    by_name = {span.name: span for span in sent_on}
    check, child = by_name["aegis.check"], by_name["opa evaluate"]
    assert (check.trace_id.hex(), check.parent_span_id.hex()) == (TRACE, CALLER)
    assert (child.trace_id, child.parent_span_id) == (check.trace_id, check.span_id)
    assert [event.name for event in check.events] == ["PolicyViolation"]
    assert attributes_of(check.attributes)["aegis.reason"] == DENIED.reason.value
    for span in queue.spans:
        span.status.SetInParent()  # the collector writes a status where there is none, too
    assert sorted(sent_on, key=by_id) == sorted(queue.spans, key=by_id)


def by_id(span: Span) -> bytes:
    return span.span_id
