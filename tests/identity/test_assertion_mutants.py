"""Client assertions and the proofs beside them, changed in every way that comes to mind: none is taken but the right one."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.assertion import read_assertion
from aegis_authz.identity.binding import read_binding
from aegis_authz.identity.issuance import NotIssued
from tests.support.jws_mutants import flipped, mixed, recoded
from tests.support.token_requests import ENDPOINT, assertion, binding, jws, key_id, private_key, public_jwk

NOW, SKEW = Epoch(1_800_000_000.25), Seconds(5.0)
AGENT = "acme/emea/payer"
KEY, STRANGER = private_key(b"k"), private_key(b"s")
KEYS = {key_id(KEY): KEY.public_key().public_bytes_raw()}
ODD = ("", 1, None, True, [], {}, ["x"], "x" * 300, 1e300, -1)


def keys_of(agent: Scope) -> dict[str, bytes]:
    return KEYS if str(agent) == AGENT else {}


def taken(text: str) -> None:
    read_assertion(text, keys_of, ENDPOINT, NOW, SKEW)


def bound(text: str) -> None:
    read_binding(text, ENDPOINT, NOW, SKEW)


def a_key(chance: random.Random) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))


def other_algorithms(text: str, chance: random.Random) -> str:
    """The same claims by an algorithm that is none of ours, the public key for a shared secret among them."""
    header, claims = jwt.get_unverified_header(text), jwt.decode(text, options={"verify_signature": False})
    algorithm = chance.choice(["HS256", "none"])
    kid = {"kid": header["kid"]} if "kid" in header else {"jwk": header["jwk"]}
    key = None if algorithm == "none" else next(iter(KEYS.values()))
    return jwt.encode(claims, key, algorithm, {**kid, "typ": header["typ"]})


def changed_assertion(chance: random.Random) -> str:
    """Signed by the right key, with claims that no agent of ours writes."""
    name = chance.choice(["iss", "sub", "aud", "jti", "iat", "exp"])
    late = chance.choice([{"exp": NOW}, {"exp": NOW - 1}, {"exp": NOW + 61.01}, {"iat": NOW + 6}, {"nbf": NOW + 6}])
    other = chance.choice(["acme/emea/shop", "acme/emea", f"{AGENT}/x", AGENT.upper(), "acme/emea/../payer"])
    extra = {"".join(chance.choices(string.ascii_lowercase, k=6)): chance.random()}
    changes: list[dict[str, Any]] = [
        {name: chance.choice(ODD)},
        late,
        {"sub": other, "iss": other},
        {"iss": other},
        {
            "aud": chance.choice(
                [ENDPOINT + "/", ENDPOINT.upper(), [ENDPOINT], "mesh", ENDPOINT.replace("http", "https")]
            )
        },
        {"iat": NOW - 100, "exp": NOW - 40},
        extra,
    ]
    return assertion(AGENT, KEY, NOW, **chance.choice(changes))


def keyed_assertion(chance: random.Random) -> str:
    """Another key, named or brought along, in every combination but the right one."""
    key = a_key(chance)
    forms: list[Callable[[], str]] = [
        lambda: assertion(AGENT, KEY, NOW, signer=key),
        lambda: assertion(AGENT, key, NOW),
        lambda: assertion(AGENT, KEY, NOW, {"kid": chance.choice(ODD)}),
        lambda: assertion(AGENT, KEY, NOW, {"jwk": public_jwk(key)}, key),
        lambda: assertion(AGENT, KEY, NOW, {"jku": "http://evil.example"}),
        lambda: assertion(AGENT, KEY, NOW, {"alg": chance.choice(["none", "HS256", "ES256", "eddsa", None, 1])}),
        lambda: assertion(AGENT, KEY, NOW, {"typ": chance.choice(["dpop+jwt", "aegis+jwt", 1, ""])}),
        lambda: assertion(AGENT, KEY, NOW, {"crit": ["exp"]}),
        lambda: other_algorithms(assertion(AGENT, KEY, NOW), chance),
        lambda: binding(KEY, NOW),
    ]
    return chance.choice(forms)()


def changed_binding(chance: random.Random) -> str:
    """A proof of the right key for something else, or another time."""
    late = chance.choice([{"iat": NOW - 61}, {"iat": NOW + 6}, {"iat": 0}, {"iat": 1e300}])
    elsewhere = chance.choice(
        [ENDPOINT + "?", ENDPOINT + "#", ENDPOINT.upper(), ENDPOINT + "/", "http://127.0.0.1/v1/token"]
    )
    changes: list[dict[str, Any]] = [
        {chance.choice(["jti", "htm", "htu", "iat"]): chance.choice(ODD)},
        late,
        {"htu": elsewhere},
        {"htm": chance.choice(["GET", "post", "POST "])},
        {"ath": "x"},
        {"".join(chance.choices(string.ascii_lowercase, k=6)): 1},
    ]
    return binding(KEY, NOW, **chance.choice(changes))


def keyed_binding(chance: random.Random) -> str:
    """A key that does not sign, or is none, or more than a public one."""
    key = a_key(chance)
    private = {**public_jwk(KEY), "d": "x"}
    wrong = [
        private,
        {},
        None,
        1,
        {**public_jwk(KEY), "kty": "EC"},
        {**public_jwk(KEY), "x": "A" * 43},
        [public_jwk(KEY)],
    ]
    forms: list[Callable[[], str]] = [
        lambda: binding(KEY, NOW, signer=key),
        lambda: binding(KEY, NOW, {"jwk": public_jwk(key)}),
        lambda: binding(KEY, NOW, {"jwk": chance.choice(wrong)}),
        lambda: binding(KEY, NOW, {"alg": chance.choice(["none", "HS256", "ES256", "eddsa", None])}),
        lambda: binding(KEY, NOW, {"typ": chance.choice(["JWT", "aegis+jwt", None, 1])}),
        lambda: binding(KEY, NOW, {"kid": key_id(KEY)}),
        lambda: other_algorithms(binding(KEY, NOW), chance),
        lambda: jws({"alg": "EdDSA", "typ": "dpop+jwt"}, {"jti": "x"}, KEY),
        lambda: assertion(AGENT, KEY, NOW),
    ]
    return chance.choice(forms)()


def refuse_mutants(count: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the mutants are to be made again
    goods = {taken: assertion(AGENT, KEY, NOW), bound: binding(KEY, NOW)}
    others = {taken: assertion(AGENT, KEY, NOW, jti="b", exp=NOW + 20), bound: binding(KEY, NOW, jti="b", iat=NOW - 9)}
    made: dict[Callable[[str], None], tuple[Callable[[random.Random], str], ...]] = {
        taken: (changed_assertion, keyed_assertion),
        bound: (changed_binding, keyed_binding),
    }
    for number in range(count):
        read = (taken, bound)[number % 2]
        mutations: tuple[Callable[[random.Random], str], ...] = (
            lambda chance, good=goods[read]: flipped(good, chance),  # type: ignore[misc]
            lambda chance, good=goods[read]: recoded(good, chance),  # type: ignore[misc]
            lambda chance, read=read: mixed(goods[read], others[read], chance),  # type: ignore[misc]
            *made[read],
        )
        mutant = mutations[number // 2 % len(mutations)](chance)
        try:
            read(mutant)
        except NotIssued:
            continue
        assert mutant in (goods[read], others[read]), (read.__name__, mutant)  # nothing was changed after all


def test_what_the_mutants_are_made_of_is_taken() -> None:
    taken(assertion(AGENT, KEY, NOW))
    bound(binding(KEY, NOW))


def test_a_thousand_mutants_are_refused() -> None:
    refuse_mutants(1_000, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_mutants_of_each_are_refused() -> None:
    refuse_mutants(200_000, seed=2)
