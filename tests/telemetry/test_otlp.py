"""The frame of requests against the library's own messages."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aegis_authz.telemetry.otlp import (
    ATTRIBUTES_OF_SPAN,
    MOST_TEXT,
    attribute,
    export_request,
    number_attribute,
    rejected_spans,
    resource_frame,
    text_attribute,
)
from aegis_authz.telemetry.protobuf import double
from tests.support.span_queue import attributes_of


def test_spans_stand_in_one_scope_of_one_resource() -> None:
    resource = resource_frame({"service.name": "aegis-authz", "deployment.environment.name": "test"})
    spans = [Span(name=name).SerializeToString() for name in ("a", "b" * 200)]
    request = ExportTraceServiceRequest.FromString(export_request(resource, "aegis", spans))
    (resource_spans,) = request.resource_spans
    assert attributes_of(resource_spans.resource.attributes) == {
        "service.name": "aegis-authz",
        "deployment.environment.name": "test",
    }
    (scope,) = resource_spans.scope_spans
    assert scope.scope.name == "aegis"
    assert [span.name for span in scope.spans] == ["a", "b" * 200]


def test_values_are_texts_numbers_and_lists() -> None:
    written = attribute(9, "t", "x" * 5000) + attribute(9, "l", ("a", "b")) + number_attribute("n") + double(1.5)
    assert attributes_of(Span.FromString(written).attributes) == {"t": "x" * 1024, "l": ("a", "b"), "n": 1.5}


@given(st.integers(0, 2**62), st.text(max_size=300))
def test_what_a_collector_did_not_take_is_read(count: int, message: str) -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = count
    response.partial_success.error_message = message
    assert rejected_spans(response.SerializeToString()) == count


def test_a_collector_that_says_nothing_took_all() -> None:
    assert rejected_spans(b"") == 0


@given(st.binary(max_size=60))
def test_nonsense_is_refused_or_counted_and_never_anything_else(response: bytes) -> None:
    with suppress(ValueError):
        assert rejected_spans(response) >= 0


@pytest.mark.parametrize("response", [b"<html>", b"\x0a\x05ab", b"\xff" * 20, b"\x0a\x80"])
def test_bytes_that_are_no_response_are_refused(response: bytes) -> None:
    with pytest.raises(ValueError):  # any fault of reading
        rejected_spans(response)


@given(st.text(max_size=8) | st.sampled_from(["é" * 700, "x" * (MOST_TEXT + 1), "\ud800"]))
def test_a_text_of_one_span_alone_is_the_attribute_that_any_text_is(text: str) -> None:
    assert text_attribute("aegis.decision_id", text) == attribute(ATTRIBUTES_OF_SPAN, "aegis.decision_id", text)
