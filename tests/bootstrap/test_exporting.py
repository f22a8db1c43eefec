from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from aegis_authz.bootstrap.exporting import OTLP_VARIABLE, ExporterBroken, span_endpoint, span_processor
from aegis_authz.telemetry.spans import DecisionSpans
from tests.support.made_records import DENIED


class Collector:
    """An OTLP/gRPC receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.came = threading.Event()

    def export(self, message: bytes, _: grpc.ServicerContext) -> bytes:
        self.received.append(message)
        self.came.set()
        return b""


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    kept = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(kept.export)}
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(0).wait()


def test_spans_arrive_at_an_otlp_collector(collector: tuple[Collector, str]) -> None:
    kept, endpoint = collector
    processor = span_processor(endpoint)
    assert processor is not None
    spans = DecisionSpans(processor, "aegis-authz", "test")
    spans.emit(DENIED, "")
    spans.shutdown()
    assert kept.came.wait(10)
    assert b"aegis.check" in kept.received[0]


def test_without_an_endpoint_nothing_is_exported() -> None:
    assert span_processor("") is None


def test_the_environment_says_where_spans_go_where_the_settings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OTLP_VARIABLE, raising=False)
    assert span_endpoint("") == ""
    monkeypatch.setenv(OTLP_VARIABLE, "http://collector:4317")
    assert span_endpoint("") == "http://collector:4317"
    assert span_endpoint("http://own:4317") == "http://own:4317"


def test_an_exporter_whose_files_were_overwritten_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aegis_authz.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(ExporterBroken, match="opentelemetry-proto"):
        span_processor("http://127.0.0.1:1")
