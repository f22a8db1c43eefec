"""The reader against the library's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aegis_authz.telemetry.traceparent import read_traceparent

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
