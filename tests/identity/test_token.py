from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Trust
from aegis_authz.identity.token import AGENT_TYPE, OVERRIDE_TYPE, read_agent_token, read_override_token

NOW = 1_800_000_000.0
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
RAW = KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
TRUST = Trust("aegis", "mesh", {"kid-1": RAW}, {"kid-1": RAW}, 300, 5)


def claims(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "iss": "aegis",
        "aud": "mesh",
        "sub": "acme/emea/finance-agent",
        "org": "acme",
        "tenant": "emea",
        "agent": "finance-agent",
        "jti": "j1",
        "iat": NOW - 1,
        "nbf": NOW - 1,
        "exp": NOW + 59,
    }
    given.update(changes)
    return {name: value for name, value in given.items() if value is not None}


def token(header: dict[str, Any] | None = None, key: Ed25519PrivateKey = KEY, **changes: Any) -> str:
    head = {"typ": AGENT_TYPE, "kid": "kid-1"} if header is None else header
    return jwt.encode(claims(**changes), key, algorithm="EdDSA", headers=head)


def reason_of(text: str) -> Reason:
    with pytest.raises(Refused) as refused:
        read_agent_token(text, TRUST, NOW)
    return refused.value.reason


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_made_by_pyjwt_is_read() -> None:
    identity = read_agent_token(token(act={"sub": "planner", "act": {"sub": "user@acme"}}), TRUST, NOW)
    assert str(identity.scope) == "acme/emea/finance-agent"
    assert identity.actors == ("planner", "user@acme")
    assert (identity.jti, identity.key_id) == ("j1", "kid-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW}, Reason.CREDENTIAL_EXPIRED),
        ({"iat": NOW - 400, "nbf": NOW - 400, "exp": NOW - 200}, Reason.CREDENTIAL_EXPIRED),
        ({"iat": NOW + 10, "nbf": NOW + 10}, Reason.CREDENTIAL_NOT_YET_VALID),
        ({"nbf": NOW + 10}, Reason.CREDENTIAL_NOT_YET_VALID),
        ({"exp": NOW + 3000}, Reason.CREDENTIAL_MALFORMED),
        ({"iss": "someone"}, Reason.CREDENTIAL_UNTRUSTED),
        ({"aud": "elsewhere"}, Reason.CREDENTIAL_UNTRUSTED),
        ({"aud": ["mesh"]}, Reason.CREDENTIAL_UNTRUSTED),
        ({"sub": "acme/emea/other"}, Reason.CREDENTIAL_MALFORMED),
        ({"agent": "Finance Agent", "sub": "acme/emea/Finance Agent"}, Reason.CREDENTIAL_MALFORMED),
        ({"agent": "*", "sub": "acme/emea/*"}, Reason.CREDENTIAL_MALFORMED),
        ({"tenant": "a/b"}, Reason.CREDENTIAL_MALFORMED),
        ({"jti": ""}, Reason.CREDENTIAL_MALFORMED),
        ({"jti": None}, Reason.CREDENTIAL_MALFORMED),
        ({"jti": "j" * 257}, Reason.CREDENTIAL_MALFORMED),
        ({"exp": str(NOW + 10)}, Reason.CREDENTIAL_MALFORMED),
        ({"iat": True}, Reason.CREDENTIAL_MALFORMED),
        ({"nbf": None}, Reason.CREDENTIAL_MALFORMED),
        ({"admin": True}, Reason.CREDENTIAL_MALFORMED),
        ({"act": "planner"}, Reason.CREDENTIAL_MALFORMED),
    ],
    ids=str,
)
def test_a_claim_that_is_not_right_refuses(changes: dict[str, Any], reason: Reason) -> None:
    header, payload = b64(json.dumps({"alg": "EdDSA", "typ": AGENT_TYPE, "kid": "kid-1"}).encode()), claims(**changes)
    signed = f"{header}.{b64(json.dumps(payload).encode())}"
    assert reason_of(f"{signed}.{b64(KEY.sign(signed.encode()))}") is reason


def test_a_forged_signature_refuses() -> None:
    assert reason_of(token(key=OTHER)) is Reason.CREDENTIAL_INVALID


def test_an_unknown_key_refuses() -> None:
    assert reason_of(token(header={"typ": AGENT_TYPE, "kid": "kid-2"})) is Reason.CREDENTIAL_UNTRUSTED


def test_alg_none_refuses_as_unsigned() -> None:
    head = b64(json.dumps({"alg": "none", "typ": AGENT_TYPE, "kid": "kid-1"}).encode())
    assert reason_of(f"{head}.{b64(json.dumps(claims()).encode())}.") is Reason.CREDENTIAL_UNSIGNED


def test_hmac_with_the_public_key_refuses_as_unsigned() -> None:
    head = {"typ": AGENT_TYPE, "kid": "kid-1"}
    assert reason_of(jwt.encode(claims(), RAW, algorithm="HS256", headers=head)) is Reason.CREDENTIAL_UNSIGNED


@pytest.mark.parametrize(
    "extra", [{"jwk": {"kty": "OKP"}}, {"jku": "http://x"}, {"crit": ["b64"]}, {"typ": "JWT"}], ids=str
)
def test_a_header_with_anything_else_refuses(extra: dict[str, Any]) -> None:
    head = {"typ": AGENT_TYPE, "kid": "kid-1", **extra}
    assert reason_of(token(header=head)) is Reason.CREDENTIAL_MALFORMED


def test_an_override_is_no_agent_token() -> None:
    assert reason_of(token(header={"typ": OVERRIDE_TYPE, "kid": "kid-1"})) is Reason.CREDENTIAL_MALFORMED


def test_a_low_order_key_never_verifies() -> None:
    low_order = Trust("aegis", "mesh", {"kid-1": b"\x01" + b"\x00" * 31}, {}, 300, 5)
    head = b64(json.dumps({"alg": "EdDSA", "typ": AGENT_TYPE, "kid": "kid-1"}).encode())
    signature = b64(b"\x01" + b"\x00" * 63)
    forged = f"{head}.{b64(json.dumps(claims()).encode())}.{signature}"
    with pytest.raises(Refused) as refused:
        read_agent_token(forged, low_order, NOW)
    assert refused.value.reason is Reason.CREDENTIAL_INVALID


def test_another_spelling_of_the_same_signature_refuses() -> None:
    head, payload, signature = token().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[(alphabet.index(signature[-1]) ^ 1)]
    assert reason_of(f"{head}.{payload}.{signature[:-1]}{last}") is Reason.CREDENTIAL_MALFORMED
    assert reason_of(f"{head}.{payload}.{signature}==") is Reason.CREDENTIAL_MALFORMED


@given(st.text(max_size=300))
def test_hostile_text_is_refused(text: str) -> None:
    assert reason_of(text).value.startswith("CREDENTIAL_")


@given(st.data())
def test_any_changed_character_refuses(data: st.DataObject) -> None:
    good = token()
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda character: character != good[at])
    )
    assert reason_of(good[:at] + other + good[at + 1 :]).value.startswith("CREDENTIAL_")


def override(**changes: Any) -> str:
    payload = {
        "iss": "aegis",
        "aud": "mesh",
        "sub": "acme/emea/finance-agent",
        "apr": "apr_1",
        "digest": "d",
        "basis": "b",
        "jti": "o1",
        "iat": NOW - 1,
        "exp": NOW + 100,
    } | changes
    return jwt.encode(payload, KEY, algorithm="EdDSA", headers={"typ": OVERRIDE_TYPE, "kid": "kid-1"})


def test_an_override_token_is_read() -> None:
    read = read_override_token(override(), TRUST, NOW)
    assert (read.approval_id, read.digest, str(read.scope)) == ("apr_1", "d", "acme/emea/finance-agent")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (override(exp=NOW - 1), Reason.APPROVAL_EXPIRED),
        (token(), Reason.APPROVAL_INVALID),
        ("x", Reason.APPROVAL_INVALID),
        (override(sub="acme/emea"), Reason.APPROVAL_INVALID),
    ],
    ids=["expired", "agent token", "garbage", "of nobody"],
)
def test_what_is_no_valid_override_refuses(text: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_override_token(text, TRUST, NOW)
    assert refused.value.reason is reason
