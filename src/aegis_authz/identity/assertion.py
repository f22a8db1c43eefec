"""The assertion by which an agent asks for a token with its own key (RFC 7523 section 3), verified strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding.jwk import ED25519_ALGORITHMS
from aegis_authz.identity.compact import CompactJws
from aegis_authz.identity.issuance import Denial, NotIssued

ASSERTION_LIFE = Seconds(60.0)
"""How long an assertion may live, exp less iat."""

_MAX_BYTES = 4096
_CLAIMS = {"iss", "sub", "aud", "jti", "iat", "exp"}
_OPTIONAL = {"nbf"}
_HEADER = {"alg", "kid"}
_OPTIONAL_HEADER = {"typ"}
_NOBODY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""A key nobody asserts by (RFC 8032 section 7.1, test 1): an unknown agent costs what a wrong signature does."""

KeysOf = Callable[[Scope], Mapping[str, bytes]]
"""The raw public keys of an agent by their thumbprints; empty for an agent that nobody registered."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion: who asks, by which of its keys."""

    agent: Scope
    key_id: str
    jti: Jti
    expires_at: Epoch


def read_assertion(text: str, keys_of: KeysOf, endpoint: str, now: Epoch, skew: Seconds) -> Assertion:
    """Verify an assertion for the endpoint at this URL. Raises NotIssued with an ASSERTION_ denial.

    `kid` only looks up a key among those of the agent that `sub` names.
    """
    try:
        jws = CompactJws.parse(text, _MAX_BYTES)
        agent, jti = Scope.parse(jws.text("sub")), Jti(jws.text("jti"))
        issued_at, expires_at = jws.time("iat"), jws.time("exp")
        not_before = jws.time("nbf") if "nbf" in jws.claims else issued_at
        key_id = jws.header["kid"]
    except (ValueError, KeyError) as fault:
        raise NotIssued(Denial.ASSERTION_FORM, str(fault)) from None
    if not _CLAIMS <= jws.claims.keys() <= _CLAIMS | _OPTIONAL or not _HEADER <= jws.header.keys() <= (
        _HEADER | _OPTIONAL_HEADER
    ):
        raise NotIssued(Denial.ASSERTION_FORM, "members that are not those of an assertion")
    if jws.header["alg"] not in ED25519_ALGORITHMS or str(jws.header.get("typ", "JWT")).upper() != "JWT":
        raise NotIssued(Denial.ASSERTION_FORM, "alg is not EdDSA, or typ is not JWT")
    if jws.claims["iss"] != str(agent):
        raise NotIssued(Denial.ASSERTION_FORM, "iss is not sub")
    key = keys_of(agent).get(key_id) if isinstance(key_id, str) else None
    verifies = jws.is_signed_by(_NOBODY if key is None else key)
    if key is None or not verifies:
        raise NotIssued(
            Denial.ASSERTION_KEY, f"{agent}: no such agent or key" if key is None else f"{agent}: it does not verify"
        )
    if jws.claims["aud"] != endpoint:
        raise NotIssued(Denial.ASSERTION_AUDIENCE)
    if not 0 < expires_at - issued_at <= ASSERTION_LIFE:
        raise NotIssued(Denial.ASSERTION_LIFE)
    if now >= expires_at:
        raise NotIssued(Denial.ASSERTION_EXPIRED)
    if issued_at > now + skew or not_before > now + skew:
        raise NotIssued(Denial.ASSERTION_EARLY)
    return Assertion(agent, str(key_id), jti, expires_at)
