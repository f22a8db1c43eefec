from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.identity.request_state import HeldState, require_state, sealed_state

STATE = HeldState("acme/emea/bot", "d" * 64, Epoch(1000.9))
NEW, OLD = b"n" * 32, b"o" * 32


def refusal(text: str, state: HeldState = STATE, now: float = 900.0, keys: tuple[bytes, ...] = (NEW,)) -> Reason:
    with pytest.raises(Refused) as refused:
        require_state(text, state, keys, Epoch(now))
    return refused.value.reason


def test_a_state_is_good_for_its_call_until_its_time_is_over_also_under_the_key_before() -> None:
    text = sealed_state(STATE, (OLD,))
    require_state(text, STATE, (NEW, OLD), Epoch(999.9))
    assert refusal(text, now=1000.0, keys=(OLD,)) is Reason.APPROVAL_EXPIRED


@pytest.mark.parametrize("state", [replace(STATE, agent="acme/emea/other"), replace(STATE, digest="e" * 64)])
def test_a_state_is_good_for_nobody_else_and_for_no_other_call(state: HeldState) -> None:
    assert refusal(sealed_state(STATE, (NEW,)), state) is Reason.APPROVAL_MISMATCH


def test_a_state_that_was_altered_or_made_by_somebody_else_is_refused() -> None:
    text = sealed_state(STATE, (NEW,))
    later = text.replace(".1000.", ".9999.")
    assert later != text
    for wrong in (later, text[:-1], f"{text}.", "aegis-state1.", "aegis-state1.1000.", sealed_state(STATE, (OLD,))):
        assert refusal(wrong) is Reason.APPROVAL_MISMATCH
