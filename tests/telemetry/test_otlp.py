"""The encoder against the library's own."""

from __future__ import annotations

from dataclasses import replace

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.telemetry.otlp import encoded
from aegis_authz.telemetry.spans import DecisionSpans
from tests.support.made_records import DENIED

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def finished() -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    sink = DecisionSpans(SimpleSpanProcessor(exporter), "aegis-authz", "test")
    sink.emit(DENIED, "")
    sink.emit(DENIED, PARENT)
    sink.emit(replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, policies=("a", "b"), would="deny"), PARENT)
    sink.emit(replace(DENIED, identity=None, policies=(), stages={}), "")
    return list(exporter.get_finished_spans())


def test_spans_are_encoded_as_the_library_encodes_them() -> None:
    spans = finished()
    assert encoded(spans) == encode_spans(spans)
    assert encoded(spans[::-1]) == encode_spans(spans[::-1])


def test_no_spans_are_an_empty_request() -> None:
    assert encoded([]) == encode_spans([])
