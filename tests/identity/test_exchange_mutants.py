"""Tokens of another issuer, changed in every way that comes to mind: none is taken but what that issuer wrote."""

from __future__ import annotations

import hmac
import json
import random
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis_authz.core.trusted_issuer import SubjectRule, TrustedIssuer
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding import base64url
from aegis_authz.encoding.verifying_key import p256_jwk, verifying_key
from aegis_authz.identity.exchange import read_foreign_token, verified_subject
from aegis_authz.identity.issuance import NotIssued
from tests.support.jws_mutants import flipped, mixed, recoded
from tests.support.token_requests import jws, private_key, public_jwk

NOW, SKEW = Epoch(1_800_000_000.25), Seconds(5.0)
KEY, FOREIGN = derive_private_key(7, SECP256R1()), derive_private_key(8, SECP256R1())
RULE = SubjectRule({"/k8s/namespace": "payments", "verified": True}, "acme/emea/{workload}", "")
ISSUER = TrustedIssuer(
    "ci", "https://ci.example", "aegis", False, ("ES256",), None, (), Seconds(3600), False, (RULE,), ""
)
KEYS = (verifying_key({**p256_jwk(KEY.public_key()), "kid": "k1"}),)
CLAIMS: dict[str, Any] = {
    "iss": "https://ci.example",
    "sub": "system:serviceaccount:payments:payer",
    "aud": ["aegis", "others"],
    "jti": "t-1",
    "iat": NOW - 60,
    "nbf": NOW - 60,
    "exp": NOW + 600,
    "workload": "payer",
    "verified": True,
    "k8s": {"namespace": "payments"},
}
ODD = ("", 1, None, False, [], {}, ["x"], 1e300, -1)


def token(key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return encoded(claims, key, "ES256", header or {})


def encoded(claims: dict[str, Any], key: Any, algorithm: str, header: dict[str, Any]) -> str:
    """Any claims at all; `jwt.encode` looks at some."""
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm, {"kid": "k1", "typ": "JWT", **header})


def shared(claims: dict[str, Any], secret: bytes) -> str:
    """HS256 with what is no secret; PyJWT would refuse to."""
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "k1"}, claims))
    text = b".".join(base64url.encode(part) for part in parts)
    return f"{text.decode()}.{base64url.encode(hmac.digest(secret, text, 'sha256')).decode()}"


def taken(text: str) -> str:
    return str(verified_subject(read_foreign_token(text, [ISSUER]), KEYS, NOW, SKEW).agent)


def _of_claims(chance: random.Random) -> str:
    """Signed by the issuer, and nothing that this trust is for."""
    changes: list[dict[str, Any]] = [
        {chance.choice(["iss", "sub", "aud", "exp", "workload", "verified", "k8s"]): chance.choice(ODD)},
        chance.choice([{"exp": NOW - 6}, {"iat": NOW + 6, "nbf": NOW}, {"nbf": NOW + 6}, {"exp": NOW + 1e6}]),
        {"aud": chance.choice(["others", ["others"], "AEGIS", "aegis ", {"aegis": 1}])},
        {
            "iss": chance.choice(
                ["https://ci.example/", "http://ci.example", "https://CI.example", ["https://ci.example"]]
            )
        },
        {"verified": chance.choice(["true", 1, "True", [True], {"": True}])},
        {
            "k8s": chance.choice(
                [{"namespace": "payment"}, {"Namespace": "payments"}, {"namespace": ["payments"]}, "payments"]
            )
        },
        {"workload": chance.choice(["payer/x", "../payer", "Payer", "p\u00e4yer", "a" * 64, " payer"])},
        {"act": chance.choice(["x", [], {}, {"sub": 1}, {"act": {"sub": "x"}}])},
    ]
    return token(**chance.choice(changes))


def _of_keys(chance: random.Random) -> str:
    """Another key or algorithm, the issuer's public key for a shared secret among them."""
    public = KEY.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raw = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    ours = private_key(chance.randbytes(4))
    forms: list[Callable[[], str]] = [
        lambda: token(FOREIGN),
        lambda: token(FOREIGN, {"jwk": p256_jwk(FOREIGN.public_key())}),
        lambda: token(FOREIGN, {"kid": chance.choice(["k2", "", "k1 "])}),
        lambda: token(KEY, {"kid": chance.choice(["k2", "../k1", "K1"])}),
        lambda: token(KEY, {"typ": chance.choice(["dpop+jwt", "aegis+jwt", "secevent+jwt"])}),
        lambda: token(KEY, {"crit": ["b64"], "b64": False}),
        lambda: shared(CLAIMS, chance.choice([spki, raw, raw[1:33]])),
        lambda: encoded(CLAIMS, None, "none", {}),
        lambda: jws({"alg": chance.choice(["EdDSA", "Ed25519"]), "kid": "k1"}, CLAIMS, ours),
        lambda: jws({"alg": chance.choice(["ES256", "RS256", "PS256", "es256", "ES384"]), "kid": "k1"}, CLAIMS, ours),
        lambda: jws({"alg": "EdDSA", "kid": "k1", "jwk": public_jwk(ours)}, CLAIMS, ours),
    ]
    return chance.choice(forms)()


def refuse_mutants(count: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the mutants are to be made again
    good, other = token(), token(jti="t-2", exp=NOW + 500)
    mutations: tuple[Callable[[random.Random], str], ...] = (
        lambda chance: flipped(good, chance),
        lambda chance: recoded(good, chance),
        lambda chance: mixed(good, other, chance),
        _of_claims,
        _of_keys,
    )
    for number in range(count):
        mutant = mutations[number % len(mutations)](chance)
        try:
            taken(mutant)
        except NotIssued:
            continue
        assert mutant in (good, other), mutant  # nothing was changed after all


def test_what_the_mutants_are_made_of_is_taken() -> None:
    assert taken(token()) == "acme/emea/payer"


def test_some_thousands_of_mutants_are_refused() -> None:
    refuse_mutants(2_000, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_mutants_are_refused() -> None:
    refuse_mutants(100_000, seed=2)
