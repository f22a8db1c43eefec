from __future__ import annotations

from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.telemetry_terms import OF_NOBODY, UNSAID

CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
ENVOY = f"00-{'a' * 32}-{'c' * 16}-01"
ELSEWHERE = f"00-{'d' * 32}-{'e' * 16}-01"


def place(proxy: str, caller: str, *, trusted: bool) -> tuple[str, tuple[str, ...]]:
    trace = DecisionTrace.of(proxy, caller, UNSAID if trusted else OF_NOBODY)
    return trace.parent, trace.links


def test_the_span_of_the_proxy_is_the_parent() -> None:
    assert place(ENVOY, "", trusted=True) == place(ENVOY, CALLER, trusted=True) == (ENVOY, ())


def test_without_one_the_callers_trace_goes_on() -> None:
    assert place("", CALLER, trusted=True) == (CALLER, ())


def test_a_proxy_that_has_a_trace_of_its_own_is_the_parent_and_the_callers_is_linked() -> None:
    assert place(ELSEWHERE, CALLER, trusted=True) == place(ELSEWHERE, CALLER, trusted=False) == (ELSEWHERE, (CALLER,))


def test_the_trace_of_a_caller_that_is_not_trusted_is_linked_only() -> None:
    assert place("", CALLER, trusted=False) == ("", (CALLER,))
    assert place(ENVOY, CALLER, trusted=False) == ("", (ENVOY,))
    assert place(ENVOY, "", trusted=False) == (ENVOY, ())


def test_of_nothing_comes_a_trace_of_its_own() -> None:
    assert place("", "", trusted=True) == place("", "", trusted=False) == ("", ())
