"""The use of an approval as Redis holds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.redis.approval_use import outcome_text, read_use
from aegis_authz.core.approval import ApprovalUse, CallOutcome
from aegis_authz.core.units import Epoch


@given(st.integers(0, 2**41), st.integers(0, 599), st.integers(0, 2**41), st.booleans())
def test_a_use_reads_as_it_was_written(used_at: int, status: int, ended_at: int, was_reached: bool) -> None:
    outcome = CallOutcome(status, Epoch(ended_at / 1000), was_reached)
    read = read_use(f"{used_at} {outcome_text(outcome)}")
    assert read.outcome is not None
    assert (read.time, read.outcome.status, read.outcome.was_reached) == (used_at / 1000, status, was_reached)
    assert read.outcome.time == outcome.time
    assert read_use(str(used_at)) == ApprovalUse(Epoch(used_at / 1000), None)


@pytest.mark.parametrize("text", ["", "x", "1 2", "1 200 3", "1 200 3 2", "1 200 3 1 4", "1  200 3 1"])
def test_another_text_is_no_use(text: str) -> None:
    with pytest.raises(ValueError):
        read_use(text)
