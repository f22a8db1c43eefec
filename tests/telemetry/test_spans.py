from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.telemetry.spans import DecisionSpans, read_traceparent
from tests.support.made_records import DENIED


def spans() -> tuple[DecisionSpans, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return DecisionSpans(SimpleSpanProcessor(exporter), "aegis-authz", "test"), exporter


def test_a_denial_is_one_span_with_a_policy_violation() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "")
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "aegis.check"
    assert attributes["aegis.decision"] == "deny"
    assert attributes["aegis.reason"] == "POLICY_DENIED"
    assert attributes["aegis.stage.evaluate_ms"] == 1.5
    assert [event.name for event in span.events] == ["PolicyViolation"]
    assert span.start_time is not None
    assert span.end_time == span.start_time + 2_500_000


def test_a_span_is_the_child_of_envoys() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_an_unreadable_parent_starts_a_trace_of_its_own() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "garbage")
    assert exporter.get_finished_spans()[0].parent is None


def test_an_allow_is_no_violation() -> None:
    sink, exporter = spans()
    sink.emit(replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED), "")
    assert exporter.get_finished_spans()[0].events == ()


def test_neither_token_nor_parameters_nor_details_are_in_the_span() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "")
    told = str(exporter.get_finished_spans()[0].to_json())
    assert not any(secret in told for secret in ("secret-jti", "50000", "internal words"))


def test_a_caller_that_does_not_sample_its_trace_gets_no_span() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
    assert exporter.get_finished_spans() == ()


def test_spans_name_the_service_and_the_environment() -> None:
    sink, exporter = spans()
    sink.emit(DENIED, "")
    told = exporter.get_finished_spans()[0].resource.attributes
    assert (told["service.name"], told["deployment.environment.name"]) == ("aegis-authz", "test")


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


def library(text: str) -> SpanContext | None:
    """What the library's propagator makes of the same header."""
    context = TraceContextTextMapPropagator().extract({"traceparent": text}, Context())
    found = get_current_span(context).get_span_context()
    return found if found.is_valid else None


def test_a_caller_names_its_span_and_whether_it_is_sampled() -> None:
    found = read_traceparent(GOOD)
    assert found is not None
    assert (f"{found.trace_id:032x}", f"{found.span_id:016x}") == (TRACE, SPAN)
    assert found.is_remote
    assert found.trace_flags.sampled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        GOOD,
        GOOD + "\n",
        GOOD + "\n\n",
        f" \t{GOOD}\t ",
        f"{GOOD}-more",
        f"01{GOOD[2:]}-more",
        f"01{GOOD[2:]}-",
        f"01{GOOD[2:]}-a\nb",
        f"ff{GOOD[2:]}",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        GOOD.upper(),
        f"01{GOOD[2:]}-{'x' * 512}",
    ],
)
def test_a_traceparent_is_read_as_the_library_reads_it(text: str) -> None:
    assert read_traceparent(text) == library(text)


@given(st.from_regex(r"[ \t]*[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-fA-F]{2}(-.*)?[ \t\n]*", fullmatch=True))
def test_whatever_looks_like_a_traceparent_is_read_as_the_library_reads_it(text: str) -> None:
    assert read_traceparent(text) == library(text)
