from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.decision import denied
from aegis_authz.core.fault import Fault, character_name, quoted
from aegis_authz.core.reason import CALLERS_FAULTS, REASONS, Reason, Retry
from aegis_authz.core.refused import Refused

FAULT = Fault("body", "/amount", "The amount is odd.")


@given(st.text(), st.text(), st.text())
def test_a_fault_is_short_and_printable_whatever_it_was_made_of(at: str, problem: str, cited: str) -> None:
    fault = Fault("query", at, f"{problem}: {quoted(cited)}")
    assert fault.at.isprintable() and len(fault.at) <= 200
    assert fault.problem.isprintable() and len(fault.problem) <= 300
    assert quoted(cited).isprintable() and len(quoted(cited)) <= 62


def test_what_nobody_sees_is_quoted_by_its_code_point() -> None:
    assert quoted("a\u200db\n") == r'"a\u200db\n"'
    assert character_name("\t") == "U+0009"
    assert quoted("x" * 100) == '"' + "x" * 57 + '..."'


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in CALLERS_FAULTS])
def test_no_other_reason_tells_of_a_callers_text(reason: Reason) -> None:
    with pytest.raises(ValueError, match="not the fault of a caller's text"):
        Refused(reason, "", FAULT)
    if REASONS[reason].retry is Retry.LATER:
        with pytest.raises(ValueError, match="not the fault of a caller's text"):
            denied(reason, "", "r", FAULT)  # type: ignore[arg-type]  # a revision is a text


def test_reasons_in_the_shape_of_a_text_are_refusals_that_no_repetition_mends() -> None:
    assert {REASONS[reason].retry for reason in CALLERS_FAULTS} == {Retry.NEVER}


def test_the_text_of_a_refusal_as_an_exception_is_that_of_the_record_alone() -> None:
    assert str(Refused(Reason.MALFORMED_CALL, "odd", FAULT)) == "MALFORMED_CALL: odd"
