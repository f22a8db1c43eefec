"""Agent tokens of both kinds, changed in every way that comes to mind: none is taken but the token itself."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.refused import Refused
from aegis_authz.identity.token import read_agent_token
from tests.support.grants import grant_claim
from tests.support.jws_mutants import flipped, mixed, recoded
from tests.support.proven_calls import ISSUER, MINT, NOW, TRUST, jwk_of, signed

HEADER = {"alg": "EdDSA", "typ": "aegis+jwt", "kid": "kid-1"}
SHORT_TEXTS = ("jti", "on_behalf_of", "sid")
"""Claims of which every short text is one: another is another token, by the right issuer."""


def claims(is_bound: bool) -> dict[str, Any]:
    whole = {
        "iss": "aegis",
        "aud": "mesh",
        "sub": "acme/emea/bot",
        "org": "acme",
        "tenant": "emea",
        "agent": "bot",
        "jti": "t-1",
        "iat": NOW - 100,
        "nbf": NOW - 100,
        "exp": NOW + 100,
        "act": {"sub": "planner"},
        "on_behalf_of": "ann",
        "sid": "s-1",
        "grant": grant_claim(exp=int(NOW) + 600, calls=3, within=grant_claim(exp=int(NOW) + 600, depth=3)),
    }
    return whole | ({"cnf": {"jkt": MINT.thumbprint}} if is_bound else {})


def good(is_bound: bool, **changes: Any) -> str:
    return signed(HEADER, claims(is_bound) | changes, ISSUER)


def _flipped(is_bound: bool, chance: random.Random) -> str:
    return flipped(good(is_bound), chance)


def _recoded(is_bound: bool, chance: random.Random) -> str:
    return recoded(good(is_bound), chance)


def _of_parts(is_bound: bool, chance: random.Random) -> str:
    """Parts of two good tokens that differ in everything; above all the proof-less claims with the bound one's."""
    another = signed({**HEADER, "alg": "Ed25519"}, claims(not is_bound) | {"jti": "t-2"}, ISSUER)
    return mixed(good(is_bound), another, chance)


def _of_claims(is_bound: bool, chance: random.Random) -> str:
    """Signed by the right key, with claims that no issuer of ours writes."""
    whole = claims(is_bound)
    name = chance.choice([name for name in whole if name not in SHORT_TEXTS])
    match chance.randrange(5):
        case 0:
            required = chance.choice(["iss", "aud", "sub", "org", "tenant", "agent", "jti", "iat", "nbf", "exp"])
            del whole[required]
        case 1:
            whole[name] = chance.choice([True, [], {}, "", [whole[name]], {"v": whole[name]}, 1e300, -1])
        case 2:
            whole["".join(chance.choices(string.ascii_lowercase, k=5))] = chance.random()
        case 3:
            part = chance.choice(["org", "tenant", "agent", "sub", "iss", "aud"])
            whole[part] += chance.choice("xX/ *\n\u00e9")
        case _:
            late = chance.choice([NOW, NOW - 1, NOW - 1e6, NOW + 201])
            whole |= chance.choice([{"exp": late}, {"iat": NOW + 5.001}, {"nbf": NOW + 1e6}, {"iat": NOW - 250}])
    return signed(HEADER, whole, ISSUER)


def _of_keys(is_bound: bool, chance: random.Random) -> str:
    """Another key, named or not, in every combination but the right one."""
    stranger = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
    public = ISSUER.public_key().public_bytes_raw()
    forms: list[Callable[[], str]] = [
        lambda: signed(HEADER, claims(is_bound), stranger),
        lambda: signed({**HEADER, "kid": chance.choice(["kid-2", "", 1, None, ["kid-1"]])}, claims(is_bound), ISSUER),
        lambda: signed({**HEADER, "jwk": jwk_of(stranger)}, claims(is_bound), stranger),
        lambda: signed({**HEADER, "jwk": jwk_of(ISSUER)}, claims(is_bound), ISSUER),
        lambda: signed({**HEADER, "jku": "http://evil.example"}, claims(is_bound), ISSUER),
        lambda: signed(
            {**HEADER, "typ": chance.choice(["JWT", "dpop+jwt", "aegis-override+jwt"])}, claims(is_bound), ISSUER
        ),
        lambda: signed({**HEADER, "alg": chance.choice(["none", "HS256", "ES256", "eddsa"])}, claims(is_bound), ISSUER),
        lambda: jwt.encode(claims(is_bound), public, "HS256", {"typ": "aegis+jwt", "kid": "kid-1"}),
        lambda: f"{signed({**HEADER, 'alg': 'none'}, claims(is_bound), ISSUER).rpartition('.')[0]}.",
    ]
    return chance.choice(forms)()


def _of_confirmation(is_bound: bool, chance: random.Random) -> str:
    """`cnf` in every shape but the one: a token that was to be bound is never good without its key."""
    jkt = MINT.thumbprint
    shapes = [
        {},
        [],
        "",
        jkt,
        {"jkt": jkt[:-1]},
        {"jkt": jkt + "="},
        {"jkt": [jkt]},
        {"kid": jkt},
        {"jkt": flipped(jkt, chance) + "A"},
    ]
    shapes += [{"jkt": jkt, "jwk": jwk_of(ISSUER)}, {"jwk": jwk_of(ISSUER)}, None, {"jkt": None}, {"jkt": ""}]
    return good(is_bound, cnf=chance.choice(shapes))


def _of_grant(is_bound: bool, chance: random.Random) -> str:
    """A grant by the right issuer that is none, or wider in one thing than the one it is within."""
    whole = claims(is_bound)["grant"]
    wider: list[dict[str, Any]] = [
        {"exp": whole["exp"] + chance.randint(1, 9999)},
        {"depth": chance.choice([3, 4])},
        {"tools": {chance.choice(["*", "vault"]): whole["tools"]["bank"]}},
        {"tools": {"bank": {chance.choice(["*", "refund"]): {"payee": ["Muster"]}}}},
        {"tools": {"bank": {"pay": chance.choice([{}, {"amount": [1]}, {"payee": ["Muster", chance.random()]}])}}},
    ]
    broken: list[Any] = [
        {name: chance.choice([None, [], {}, "", True, -1, 1e300, chance.random()])}
        for name in ("id", "iat", "exp", "depth", "calls", "tools", "within")
    ]
    unknown = {"".join(chance.choices(string.ascii_lowercase, k=6)): chance.random()}
    return good(is_bound, grant=whole | chance.choice([*wider, *broken, unknown]))


MUTATIONS = (_flipped, _recoded, _of_parts, _of_claims, _of_keys, _of_confirmation, _of_grant)


def refuse_mutants(count: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the mutants are to be made again
    for number in range(count):
        mutation, is_bound = MUTATIONS[number % len(MUTATIONS)], bool(chance.getrandbits(1))
        mutant = mutation(is_bound, chance)
        try:
            read_agent_token(mutant, TRUST, NOW)
        except Refused as refusal:
            assert refusal.reason.name.startswith(("CREDENTIAL_", "GRANT_")), (mutation.__name__, mutant)
            continue
        assert mutant == good(is_bound), (mutation.__name__, mutant)  # nothing was changed after all


def test_what_the_mutants_are_made_of_is_taken() -> None:
    assert [read_agent_token(good(is_bound), TRUST, NOW).bound_key for is_bound in (False, True)] == [
        "",
        MINT.thumbprint,
    ]


def test_some_thousands_of_mutants_are_refused() -> None:
    refuse_mutants(3_000, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_mutants_are_refused() -> None:
    refuse_mutants(100_000, seed=2)
