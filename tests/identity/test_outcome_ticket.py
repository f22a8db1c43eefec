"""Tickets say nothing to who carries them, and are opened as they were sealed or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import base64url
from aegis_authz.identity.outcome_ticket import TICKET_LIFE, OutcomeTicket, opened, sealed
from tests.support.session_keys import EARLIER, GONE, KEY

NONCE = b"n" * 12
TICKET = OutcomeTicket("d-1", "acme/emea/bot", "cost", [{"kind": "redact", "own": "secret pattern"}], 1000.0)
PREFIX = "aegis-outcome1."


def refused(text: str, scope: str = TICKET.scope, now: float = 1000.0) -> Reason:
    with pytest.raises(Refused) as caught:
        opened(text, (KEY, EARLIER), scope, now)
    return caught.value.reason


def test_a_ticket_is_opened_as_it_was_sealed_with_either_key() -> None:
    for key in (KEY, EARLIER):
        assert opened(sealed(TICKET, (key,), NONCE), (KEY, EARLIER), TICKET.scope, 1000.0) == TICKET


def test_a_ticket_shows_nothing_of_what_it_holds() -> None:
    content = base64url.decode(sealed(TICKET, (KEY,), NONCE).removeprefix(PREFIX).encode())
    assert all(word not in content for word in (b"secret", b"acme", b"d-1", b"cost"))


def test_a_ticket_is_good_for_its_agent_for_a_day_under_keys_that_are_there() -> None:
    text = sealed(TICKET, (KEY,), NONCE)
    assert refused(text, scope="acme/emea/other") is Reason.OUTCOME_INVALID
    assert refused(text, now=1000.0 + TICKET_LIFE + 1) is Reason.OUTCOME_INVALID
    assert refused(sealed(TICKET, (GONE,), NONCE)) is Reason.OUTCOME_INVALID


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_ticket_with_any_byte_changed_is_none(place: int, change: int) -> None:
    content = bytearray(base64url.decode(sealed(TICKET, (KEY,), NONCE).removeprefix(PREFIX).encode()))
    content[place % len(content)] ^= change
    assert refused(PREFIX + base64url.encode(bytes(content)).decode()) is Reason.OUTCOME_INVALID


@given(st.text(max_size=40))
def test_any_other_text_is_no_ticket(text: str) -> None:
    assert refused(text) is Reason.OUTCOME_INVALID
    assert refused(PREFIX + text) is Reason.OUTCOME_INVALID


def test_a_nonce_is_of_its_size() -> None:
    with pytest.raises(ValueError, match="twelve bytes"):
        sealed(TICKET, (KEY,), b"short")
