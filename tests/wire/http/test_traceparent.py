from __future__ import annotations

import pytest

from aegis_authz.wire.http.traceparent import caller_span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "text", [f"00-{TRACE}-{SPAN}-01", f" 00-{TRACE}-{SPAN}-00 ", f"01-{TRACE}-{SPAN}-03-what comes later"]
)
def test_the_span_of_the_caller_goes_on_and_is_sampled(text: str) -> None:
    assert caller_span((text,)) == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        (f"00-{TRACE}-{SPAN}-01",) * 2,
        (f"ff-{TRACE}-{SPAN}-01",),
        (f"00-{TRACE}-{SPAN}-01-more",),
        (f"00-{'0' * 32}-{SPAN}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE.upper()}-{SPAN}-01",),
        (f"00-{TRACE}-{SPAN}",),
        (f"01-{TRACE}-{SPAN}-01-{'x' * 500}",),
        (f"00-{TRACE}-{SPAN}-01\n",),
    ],
)
def test_what_names_no_span_is_ignored(values: tuple[str, ...]) -> None:
    assert caller_span(values) == ""
