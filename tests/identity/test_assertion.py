"""The assertion of an agent: one spelling passes, every change of it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.assertion import Assertion, read_assertion
from aegis_authz.identity.issuance import Denial, NotIssued
from tests.support.token_requests import ENDPOINT, assertion, key_id, private_key

AGENT = "acme/emea/payer"
KEY, STRANGER = private_key(b"k"), private_key(b"s")
NOW = 1_800_000_000.0
KEYS = {Scope.parse(AGENT): {key_id(KEY): KEY.public_key().public_bytes_raw()}}
GOOD = assertion(AGENT, KEY, NOW)


def read(text: str, now: float = NOW) -> Assertion:
    return read_assertion(text, lambda scope: KEYS.get(scope, {}), ENDPOINT, Epoch(now), Seconds(5.0))


def denial(text: str, now: float = NOW) -> Denial:
    with pytest.raises(NotIssued) as caught:
        read(text, now)
    return caught.value.denial


def test_the_agent_says_who_it_is_with_its_key() -> None:
    assert read(GOOD) == Assertion(Scope.parse(AGENT), key_id(KEY), f"a-{NOW}-0", Epoch(NOW + 30))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "https://other.example/v1/token"}, Denial.ASSERTION_AUDIENCE),
        ({"aud": [ENDPOINT]}, Denial.ASSERTION_AUDIENCE),
        ({"aud": None}, Denial.ASSERTION_FORM),
        ({"iss": "acme/emea/other"}, Denial.ASSERTION_FORM),
        ({"sub": "acme/emea/other", "iss": "acme/emea/other"}, Denial.ASSERTION_KEY),
        ({"sub": "acme/emea"}, Denial.ASSERTION_FORM),
        ({"jti": None}, Denial.ASSERTION_FORM),
        ({"jti": ""}, Denial.ASSERTION_FORM),
        ({"exp": None}, Denial.ASSERTION_FORM),
        ({"exp": NOW + 61}, Denial.ASSERTION_LIFE),
        ({"exp": NOW}, Denial.ASSERTION_LIFE),
        ({"exp": True}, Denial.ASSERTION_FORM),
        ({"iat": NOW - 60, "exp": NOW}, Denial.ASSERTION_EXPIRED),
        ({"iat": NOW + 6, "exp": NOW + 60}, Denial.ASSERTION_EARLY),
        ({"nbf": NOW + 6}, Denial.ASSERTION_EARLY),
        ({"more": 1}, Denial.ASSERTION_FORM),
    ],
)
def test_claims_that_are_not_those_of_an_assertion_for_us_are_refused(claims: dict[str, Any], expected: Denial) -> None:
    assert denial(assertion(AGENT, KEY, NOW, **claims)) is expected


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"typ": "aegis+jwt"},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["exp"]},
        {"kid": None},
    ],
)
def test_a_header_that_is_not_of_an_assertion_is_refused(header: dict[str, Any]) -> None:
    assert denial(assertion(AGENT, KEY, NOW, header)) is Denial.ASSERTION_FORM


def test_an_agent_nobody_knows_and_a_wrong_signature_are_refused_alike() -> None:
    unknown = assertion("acme/emea/nobody", STRANGER, NOW)
    forged = assertion(AGENT, KEY, NOW, signer=STRANGER)
    strange = assertion(AGENT, STRANGER, NOW)
    assert {denial(text) for text in (unknown, forged, strange)} == {Denial.ASSERTION_KEY}


def test_a_key_is_looked_up_among_those_of_its_own_agent() -> None:
    assert denial(assertion("acme/apac/payer", KEY, NOW)) is Denial.ASSERTION_KEY
    assert denial(assertion(AGENT, KEY, NOW, {"kid": 7})) is Denial.ASSERTION_KEY


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABCabc019-_.=+/ \n"))
def test_no_other_spelling_of_an_assertion_passes(place: int, letter: str) -> None:
    mutant = GOOD[:place] + letter + GOOD[place + 1 :]
    if mutant != GOOD:
        assert denial(mutant) in set(Denial)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert denial(text) is Denial.ASSERTION_FORM
