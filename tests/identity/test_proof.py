"""Proofs: what is taken, and that nothing else is."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.identity import Proof
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.proof import ProvenRequest, read_proof, token_hash
from tests.support.jws_mutants import flipped, mixed, recoded
from tests.support.proven_calls import (
    AGENT,
    BODY,
    MINT,
    NOW,
    REQUEST,
    STRANGER,
    TARGET,
    TOKEN,
    b64,
    claims,
    digest,
    header,
    jwk_of,
    signed,
)

ATH = token_hash(TOKEN)
LOW_ORDER = base64.urlsafe_b64encode(bytes([1, *[0] * 31])).rstrip(b"=").decode()


def read(proof: str, request: ProvenRequest = REQUEST, now: float = NOW) -> Proof:
    return read_proof(proof, MINT.thumbprint, ATH, request, now, 5)


def reason_of(proof: str, request: ProvenRequest = REQUEST, now: float = NOW) -> Reason:
    with pytest.raises(Refused) as refused:
        read(proof, request, now)
    return refused.value.reason


def test_a_proof_of_this_very_call_is_taken() -> None:
    assert read(signed(header(), claims())) == Proof("p-1", MINT.thumbprint, NOW - 1, 65)


def test_the_newer_name_of_the_algorithm_is_taken() -> None:
    assert read(signed(header(alg="Ed25519"), claims())).jti == "p-1"


def test_a_proof_made_by_pyjwt_is_taken() -> None:
    proof = jwt.encode(claims(), AGENT, "EdDSA", {"typ": "dpop+jwt", "jwk": jwk_of(AGENT)})
    assert read(proof).jti == "p-1"


def test_the_key_of_rfc_8037_has_the_thumbprint_of_its_appendix() -> None:
    x = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(x) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037, appendix A.3


def test_the_first_three_signatures_of_rfc_8032_verify_in_proofs_made_with_their_keys() -> None:
    seeds = (  # RFC 8032, section 7.1: secret key, public key, message, the signature's beginning
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7",
            "",
            "e5564300c360ac72",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a",
            "72",
            "92a009a9f0d4cab8",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a3",
            "af82",
            "6291d657deec2402",
        ),
    )
    for seed, public, message, signature in seeds:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        assert key.public_key().public_bytes_raw().hex().startswith(public)
        assert key.sign(bytes.fromhex(message)).hex().startswith(signature)
        proof = signed(header(jwk=jwk_of(key)), claims(), key)
        assert read_proof(proof, thumbprint(key.public_key().public_bytes_raw()), ATH, REQUEST, NOW, 5).jti == "p-1"


def test_ath_is_the_one_of_rfc_9449() -> None:
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"  # RFC 9449, section 7.1
    assert token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_the_proof_of_rfc_9449_itself_is_refused_because_its_key_is_of_another_kind() -> None:
    head = {
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": {
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256",
        },
    }
    assert reason_of(signed(head, claims())) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"htm": "GET"}, Reason.PROOF_MISMATCH),
        ({"htm": "post"}, Reason.PROOF_MISMATCH),
        ({"htm": ["POST"]}, Reason.PROOF_MISMATCH),
        ({"ath": digest(b"another token")}, Reason.PROOF_MISMATCH),
        ({"ath": ATH + "="}, Reason.PROOF_MISMATCH),
        ({"ath": hashlib.sha256(TOKEN.encode()).hexdigest()}, Reason.PROOF_MISMATCH),
        ({"bh": digest(b"")}, Reason.PROOF_MISMATCH),
        ({"bh": digest(BODY + b" ")}, Reason.PROOF_MISMATCH),
        ({"bh": None}, Reason.PROOF_MALFORMED),
        ({"jti": ""}, Reason.PROOF_MALFORMED),
        ({"jti": "j" * 257}, Reason.PROOF_MALFORMED),
        ({"jti": 5}, Reason.PROOF_MALFORMED),
        ({"jti": None}, Reason.PROOF_MALFORMED),
        ({"iat": str(NOW)}, Reason.PROOF_MALFORMED),
        ({"iat": True}, Reason.PROOF_MALFORMED),
        ({"iat": -1}, Reason.PROOF_MALFORMED),
        ({"iat": 2**41}, Reason.PROOF_MALFORMED),
        ({"ath": None}, Reason.PROOF_MALFORMED),
        ({"htu": None}, Reason.PROOF_MALFORMED),
        ({"htm": None}, Reason.PROOF_MALFORMED),
        ({"iat": None}, Reason.PROOF_MALFORMED),
        ({"nonce": "n"}, Reason.PROOF_MALFORMED),
        ({"exp": NOW + 60}, Reason.PROOF_MALFORMED),
        ({"sub": "acme/emea/boss"}, Reason.PROOF_MALFORMED),
    ],
    ids=str,
)
def test_a_claim_that_is_not_right_refuses(changes: dict[str, Any], reason: Reason) -> None:
    assert reason_of(signed(header(), claims(**changes))) is reason


@pytest.mark.parametrize(
    "spelling",
    [
        "http://api.bank.example/v1/payments",
        "http://api.bank.example/v1/payments?",
        "http://api.bank.example/v1/payments?dry=0",
        "http://api.bank.example/v1/payments?dry=1&",
        "http://api.bank.example/v1/payments?dry=1#",
        "http://api.bank.example/v1/payments?dry=1#top",
        "http://api.bank.example/v1/payments/?dry=1",
        "http://api.bank.example/v1//payments?dry=1",
        "http://api.bank.example/v1/./payments?dry=1",
        "http://api.bank.example/v1/x/../payments?dry=1",
        "http://api.bank.example/v1/p%61yments?dry=1",
        "http://api.bank.example/v1/payments?dry=%31",
        "http://api.bank.example/V1/payments?dry=1",
        "http://api.bank.example:80/v1/payments?dry=1",
        "http://api.bank.example:8080/v1/payments?dry=1",
        "http://api.bank.example./v1/payments?dry=1",
        "http://API.bank.example/v1/payments?dry=1",
        "HTTP://api.bank.example/v1/payments?dry=1",
        "https://api.bank.example/v1/payments?dry=1",
        "http://user@api.bank.example/v1/payments?dry=1",
        "http://api.bank.example\\v1/payments?dry=1",
        " http://api.bank.example/v1/payments?dry=1",
        "http://api.bank.example/v1/payments?dry=1\n",
        "//api.bank.example/v1/payments?dry=1",
        "/v1/payments?dry=1",
        "http://api.bank.example.evil.example/v1/payments?dry=1",
        "",
        "http://*/v1/payments?dry=1",
    ],
)
def test_another_spelling_of_the_target_is_another_target(spelling: str) -> None:
    assert reason_of(signed(header(), claims(htu=spelling))) is Reason.PROOF_MISMATCH


def test_each_of_the_targets_is_one() -> None:
    reverse = replace(REQUEST, targets=("http://gateway.example/bank/v1/payments", TARGET))
    assert read(signed(header(), claims()), reverse).jti == "p-1"
    assert reason_of(signed(header(), claims(htu=list(reverse.targets))), reverse) is Reason.PROOF_MISMATCH


def test_a_proof_for_one_body_carries_no_other() -> None:
    proof = signed(header(), claims())
    assert reason_of(proof, replace(REQUEST, body=b'{"amount":5000}')) is Reason.PROOF_MISMATCH
    assert reason_of(proof, replace(REQUEST, body=b"")) is Reason.PROOF_MALFORMED
    bodiless = signed(header(), claims(bh=None))
    assert read(bodiless, replace(REQUEST, body=b"")).jti == "p-1"
    assert reason_of(signed(header(), claims(bh=digest(b""))), replace(REQUEST, body=b"")) is Reason.PROOF_MALFORMED


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (-5.001, Reason.PROOF_STALE),
        (-5.0, None),
        (0.0, None),
        (60.0, None),
        (60.001, Reason.PROOF_STALE),
        (3600, Reason.PROOF_STALE),
        (-3600, Reason.PROOF_STALE),
    ],
)
def test_a_proof_is_taken_for_a_minute_and_the_difference_of_clocks(age: float, reason: Reason | None) -> None:
    proof = signed(header(), claims(iat=1_800_000_000))
    if reason is None:
        assert read(proof, now=1_800_000_000 + age).issued_at == 1_800_000_000
    else:
        assert reason_of(proof, now=1_800_000_000 + age) is reason


def hostile_headers() -> Iterator[tuple[str, Any]]:
    good = header()
    yield "none", header(alg="none")
    yield "HS256", header(alg="HS256")
    yield "ES256", header(alg="ES256")
    yield "lower case", header(alg="eddsa")
    yield "token's type", header(typ="aegis+jwt")
    yield "no type", header(typ=None)
    yield "JWT", header(typ="JWT")
    yield "no key", header(jwk=None)
    yield "kid beside it", header(kid=MINT.thumbprint)
    yield "kid in place of it", header(jwk=None, kid=MINT.thumbprint)
    yield "jku", header(jku="http://evil.example/keys")
    yield "x5c", header(x5c=["MII"])
    yield "crit", header(crit=["exp"])
    yield "b64", header(b64=False, crit=["b64"])
    yield "private", header(jwk=jwk_of(AGENT) | {"d": b64(AGENT.private_bytes_raw())})
    yield "kid in the key", header(jwk=jwk_of(AGENT) | {"kid": MINT.thumbprint})
    yield "alg in the key", header(jwk=jwk_of(AGENT) | {"alg": "EdDSA"})
    yield "X25519", header(jwk=jwk_of(AGENT) | {"crv": "X25519"})
    yield "EC", header(jwk=jwk_of(AGENT) | {"kty": "EC"})
    yield "padded", header(jwk=jwk_of(AGENT) | {"x": good["jwk"]["x"] + "="})
    yield "short", header(jwk=jwk_of(AGENT) | {"x": b64(b"k" * 31)})
    yield "low order", header(jwk=jwk_of(AGENT) | {"x": LOW_ORDER})
    yield "a number", header(jwk=jwk_of(AGENT) | {"x": 5})
    yield "a list of keys", header(jwk=[jwk_of(AGENT)])
    text, key = json.dumps(good), json.dumps(jwk_of(AGENT))
    yield "twice", text[:-1] + ',"typ":"dpop+jwt"}'
    yield "key twice", text[:-1] + f',"jwk":{key}}}'
    yield "a list", [good]
    yield "padding", json.dumps(good) + " " * 600


@pytest.mark.parametrize(("head"), [pytest.param(head, id=name) for name, head in hostile_headers()])
def test_any_other_header_refuses(head: Any) -> None:
    assert reason_of(signed(head, claims())) is Reason.PROOF_MALFORMED


def test_the_key_in_a_proof_is_believed_only_when_it_is_the_bound_one() -> None:
    assert reason_of(signed(header(jwk=jwk_of(STRANGER)), claims(), STRANGER)) is Reason.PROOF_MISMATCH
    assert reason_of(signed(header(), claims(), STRANGER)) is Reason.PROOF_INVALID


def test_neither_a_token_nor_an_endless_text_is_a_proof() -> None:
    assert reason_of(TOKEN) is Reason.PROOF_MALFORMED
    for text in ("", ".", "..", "a.b.c", "\u00e9..", signed(header(), claims()) + ".", "x" * 16_385):
        assert reason_of(text) is Reason.PROOF_MALFORMED


def _flipped(chance: random.Random) -> str:
    return flipped(signed(header(), claims()), chance)


def _recoded(chance: random.Random) -> str:
    return recoded(signed(header(), claims()), chance)


def _of_claims(chance: random.Random) -> str:
    """Signed by the right key, with claims that are not those of this call."""
    whole = claims()
    names = list(whole)
    one, other = chance.sample(names, 2)
    match chance.randrange(6):
        case 0:
            whole[one], whole[other] = whole[other], whole[one]
        case 1:
            del whole[one]
        case 2:
            whole[one] = chance.choice([None, True, 0, -1, [], {}, "", [whole[one]], {"v": whole[one]}, 1e300])
        case 3:
            whole["".join(chance.choices(string.ascii_lowercase, k=4))] = chance.random()
        case 4:
            whole["htu"] = _respelt(chance, whole["htu"])
        case _:
            whole["iat"] = chance.choice([NOW - 60, NOW + 5]) + chance.choice([-1, 1]) * 1e6
    return signed(header(), whole)


def _respelt(chance: random.Random, target: str) -> str:
    place = chance.randrange(len(target))
    letter = target[place]
    return chance.choice(
        [
            target[:place] + f"%{ord(letter):02X}" + target[place + 1 :],
            target[:place] + letter + letter + target[place + 1 :],
            target[:place] + target[place + 1 :],
            target + letter,
            target[:place] + chance.choice("/?#@:.\\ ") + target[place:],
            target.replace("//", chance.choice(["///", "//u@", "//www."])),
        ]
    )


def _of_keys(chance: random.Random) -> str:
    """Another key, named or not, in every combination but the right one."""
    seed = chance.randbytes(32)
    other = Ed25519PrivateKey.from_private_bytes(seed)
    forms = [
        lambda: signed(header(jwk=jwk_of(other)), claims(), other),
        lambda: signed(header(jwk=jwk_of(other)), claims()),
        lambda: signed(header(), claims(), other),
        lambda: signed(header(jwk=jwk_of(AGENT) | {"x": b64(chance.randbytes(32))}), claims()),
        lambda: signed(header(**{chance.choice(["kid", "jku", "x5u", "cty"]): MINT.thumbprint}), claims()),
        lambda: signed(header(alg=chance.choice(["none", "HS256", "ES256", "RS256", "Ed448", "EdDSA "])), claims()),
        lambda: jwt.encode(claims(), b64(AGENT.public_key().public_bytes_raw()), "HS256", header(alg=None)),
    ]
    return chance.choice(forms)()


def _of_parts(chance: random.Random) -> str:
    """The parts of two good proofs, mixed."""
    another = signed(header(alg="Ed25519"), claims(jti=f"p-{chance.randrange(10**9)}", iat=NOW - 2))
    return mixed(signed(header(), claims()), another, chance)


MUTATIONS: tuple[Callable[[random.Random], str], ...] = (_flipped, _recoded, _of_claims, _of_keys, _of_parts)


def refuse_mutants(count: int, seed: int) -> None:
    chance, good = random.Random(seed), read(signed(header(), claims()))  # noqa: S311  # the mutants are to be made again
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        proof = mutation(chance)
        try:
            taken = read(proof)
        except Refused as refusal:
            assert refusal.reason.name.startswith("PROOF_"), (mutation.__name__, proof)
            continue
        # the very same claims, by the right key: what was changed is nothing that the proof says
        assert proof == signed(header(), claims()), (mutation.__name__, proof, taken, good)


def test_some_thousands_of_mutants_are_refused() -> None:
    refuse_mutants(3_000, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_mutants_are_refused() -> None:
    refuse_mutants(100_000, seed=2)
