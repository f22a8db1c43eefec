from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aegis_authz.telemetry.trace_context import (
    TraceParent,
    decision_span,
    is_drawn,
    new_span_id,
    own_trace,
    read_traceparent,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


def library(text: str) -> TraceParent | None:
    """What the library's propagator makes of the same header."""
    context = TraceContextTextMapPropagator().extract({"traceparent": text}, Context())
    found = get_current_span(context).get_span_context()
    if not found.is_valid:
        return None
    return TraceParent(found.trace_id.to_bytes(16, "big"), found.span_id.to_bytes(8, "big"), found.trace_flags.sampled)


def test_a_caller_names_its_span_and_whether_it_is_sampled() -> None:
    assert read_traceparent(GOOD) == TraceParent(bytes.fromhex(TRACE), bytes.fromhex(SPAN), is_sampled=True)


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


def test_a_trace_of_its_own_has_the_id_of_the_decision() -> None:
    assert own_trace("01999999-aaaa-7bbb-8ccc-ddddeeeeffff").hex() == "01999999aaaa7bbb8cccddddeeeeffff"


@given(st.text(max_size=50))
def test_whatever_a_decision_is_called_its_trace_has_sixteen_bytes(decision_id: str) -> None:
    assert len(own_trace(decision_id)) == 16


def test_traces_are_drawn_by_their_last_bytes_and_all_of_them_where_all_are_wanted() -> None:
    assert is_drawn(b"\xff" * 16, 1.0)
    assert not is_drawn(b"\xff" * 16, 0.99)
    assert is_drawn(bytes(16), 0.01)
    assert 350 < sum(is_drawn(new_span_id() + new_span_id(), 0.5) for _ in range(1000)) < 650


@given(st.uuids(version=4))
def test_the_span_of_a_decision_is_known_by_the_decisions_id(name: UUID) -> None:
    assert decision_span(str(name)) == own_trace(str(name))[8:] == name.bytes[8:]


@given(st.text(max_size=40))
def test_any_id_of_a_decision_has_a_span(decision_id: str) -> None:
    assert len(decision_span(decision_id)) == 8
