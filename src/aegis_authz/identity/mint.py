"""Issuing: agent tokens and override tokens as compact JWS with Ed25519 (RFC 7515, RFC 7519, RFC 8037).

The reading side is `identity/token.py`; what is minted here is exactly what it accepts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import NAME, Scope
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.token import AGENT_TYPE, OVERRIDE_TYPE
from aegis_authz.ports.key_rings import SigningKey
from aegis_authz.wire.grant import claim_of

MIN_TTL = Seconds(1.0)
MAX_TTL = Seconds(300.0)
MAX_ACTORS = 5
_MAX_TEXT = 256


def mint_token(
    key: SigningKey,
    *,
    issuer: str,
    audience: str,
    scope: Scope,
    now: Epoch,
    ttl: Seconds,
    jti: Jti,
    actors: Sequence[str] = (),
    on_behalf_of: str = "",
    bound_to: str = "",
    grant: Sequence[Narrowing] = (),
    session: str = "",
) -> str:
    """Mint the token of one agent: for one call, or bound to a key that proves each call.

    `now` is kept to the millisecond; `ttl` is 1 to 300 seconds; `actors` is the delegation chain of RFC 8693 section
    4.1, nearest actor first; `on_behalf_of` is whom the agent serves, "" to say nothing; `bound_to` is the thumbprint
    of that key (RFC 7800, RFC 9449 section 6.1), "" for a token that is good for one call; `grant` are the narrowings
    of its grant, the widest first; `session` is the session or task that the token is for (`sid`), "" to say nothing.
    Raises ValueError for a name that cannot be one, a ttl out of range or an empty or overlong text.
    """
    for label, name in (("org", scope.org), ("tenant", scope.tenant), ("agent", scope.agent)):
        if NAME.match(name) is None:
            raise ValueError(
                f"{label} {name!r} is not a name: lower-case letters, digits, '.', '_' and '-', at most 63"
            )
    if not MIN_TTL <= ttl <= MAX_TTL:
        raise ValueError(f"ttl must be {MIN_TTL:g} to {MAX_TTL:g} seconds")
    if len(actors) > MAX_ACTORS:
        raise ValueError(f"a delegation chain has at most {MAX_ACTORS} actors")
    issued_at, expires_at = _life(now, ttl)
    claims: dict[str, Json] = {
        "iss": _text("issuer", issuer),
        "aud": _text("audience", audience),
        "sub": str(scope),
        "org": scope.org,
        "tenant": scope.tenant,
        "agent": scope.agent,
        "jti": _text("jti", jti),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": expires_at,
    }
    if on_behalf_of:
        claims["on_behalf_of"] = _text("on_behalf_of", on_behalf_of)
    if bound_to:
        claims["cnf"] = {"jkt": _text("thumbprint", bound_to)}
    if session:
        claims["sid"] = _text("session", session)
    if grant:
        claims["grant"] = claim_of(grant)
    act = _chain(actors)
    if act is not None:
        claims["act"] = act
    return _signed(key, AGENT_TYPE, claims)


def mint_override(
    key: SigningKey, request: ApprovalRequest, *, issuer: str, audience: str, now: Epoch, jti: Jti
) -> str:
    """Mint the one-time override token of an approved call; it expires when the approval does.

    Raises ValueError when the approval's time is over.
    """
    issued_at, expires_at = _milliseconds(now) / 1000, _milliseconds(request.expires_at) / 1000
    if expires_at <= issued_at:
        raise ValueError("the approval has expired")
    claims: dict[str, Json] = {
        "iss": _text("issuer", issuer),
        "aud": _text("audience", audience),
        "sub": str(request.scope),
        "apr": _text("approval id", request.id),
        "digest": _text("digest", request.digest),
        "basis": _text("basis", request.basis),
        "jti": _text("jti", jti),
        "iat": issued_at,
        "exp": expires_at,
    }
    return _signed(key, OVERRIDE_TYPE, claims)


def _signed(key: SigningKey, kind: str, claims: dict[str, Json]) -> str:
    kid = thumbprint(key.public_key().public_bytes_raw())
    parts = ({"alg": "EdDSA", "typ": kind, "kid": kid}, claims)
    text = b".".join(base64url.encode(json.dumps(part, separators=(",", ":")).encode("utf-8")) for part in parts)
    return b".".join((text, base64url.encode(key.sign(text)))).decode("ascii")


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)  # downwards: a token is never issued in the future


def _life(now: Epoch, ttl: Seconds) -> tuple[float, float]:
    issued_ms = _milliseconds(now)
    expires_ms = issued_ms + _milliseconds(ttl)
    issued_at, expires_at = issued_ms / 1000, expires_ms / 1000
    if expires_at - issued_at > ttl:  # doubles: the longest life must not be an ulp too long
        expires_at = (expires_ms - 1) / 1000
    return issued_at, expires_at


def _chain(actors: Sequence[str]) -> Json:
    act: Json = None
    for actor in reversed(actors):
        link: dict[str, Json] = {"sub": _text("actor", actor)}
        if act is not None:
            link["act"] = act
        act = link
    return act


def _text(label: str, value: str) -> str:
    if not 0 < len(value) <= _MAX_TEXT:
        raise ValueError(f"{label} must have 1 to {_MAX_TEXT} characters")
    return value
