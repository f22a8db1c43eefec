"""The proof of the key a token is bound to: one spelling passes, every change of it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.binding import Binding, read_binding
from aegis_authz.identity.issuance import Denial, NotIssued
from tests.support.token_requests import ENDPOINT, binding, key_id, private_key, public_jwk

KEY, STRANGER = private_key(b"k"), private_key(b"s")
NOW = 1_800_000_000.0
GOOD = binding(KEY, NOW)


def read(text: str, now: float = NOW) -> Binding:
    return read_binding(text, ENDPOINT, Epoch(now), Seconds(5.0))


def denial(text: str, now: float = NOW) -> Denial:
    with pytest.raises(NotIssued) as caught:
        read(text, now)
    return caught.value.denial


def test_a_proof_names_the_key_that_made_it() -> None:
    proven = read(GOOD)
    assert (proven.key_id, proven.raw_key) == (key_id(KEY), KEY.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"htm": "GET"}, Denial.PROOF_TARGET),
        ({"htm": "post"}, Denial.PROOF_TARGET),
        ({"htu": "http://127.0.0.1:7000/v1/token?"}, Denial.PROOF_TARGET),
        ({"htu": "http://localhost:7000/v1/token"}, Denial.PROOF_TARGET),
        ({"htu": None}, Denial.PROOF_FORM),
        ({"ath": "x"}, Denial.PROOF_FORM),
        ({"jti": ["a"]}, Denial.PROOF_FORM),
        ({"iat": NOW - 61}, Denial.PROOF_STALE),
        ({"iat": NOW + 6}, Denial.PROOF_STALE),
        ({"iat": "now"}, Denial.PROOF_FORM),
    ],
)
def test_claims_that_are_not_of_this_request_are_refused(claims: dict[str, Any], expected: Denial) -> None:
    assert denial(binding(KEY, NOW, **claims)) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"typ": "JWT"}, Denial.PROOF_FORM),
        ({"alg": "none"}, Denial.PROOF_FORM),
        ({"alg": "HS256"}, Denial.PROOF_FORM),
        ({"kid": "k"}, Denial.PROOF_FORM),
        ({"jwk": None}, Denial.PROOF_FORM),
        ({"jwk": {"kty": "oct", "k": "AA"}}, Denial.PROOF_FORM),
        ({"jwk": {**public_jwk(KEY), "d": "AA"}}, Denial.PROOF_FORM),
        ({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}}, Denial.PROOF_FORM),
        ({"jwk": public_jwk(STRANGER)}, Denial.PROOF_SIGNATURE),
    ],
)
def test_a_header_that_is_not_of_a_proof_is_refused(header: dict[str, Any], expected: Denial) -> None:
    assert denial(binding(KEY, NOW, header)) is expected


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABCabc019-_.=+/ \n"))
def test_no_other_spelling_of_a_proof_passes(place: int, letter: str) -> None:
    mutant = GOOD[:place] + letter + GOOD[place + 1 :]
    if mutant != GOOD:
        assert denial(mutant) in set(Denial)
