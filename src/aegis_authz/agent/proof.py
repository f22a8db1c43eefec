"""What an agent's key signs: a proof for each call (RFC 9449), and the assertion a token is got with (RFC 7523)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import base64url
from aegis_authz.encoding.jwk import thumbprint

ASSERTION_LIFE = 30
"""Seconds an assertion lives; the control plane takes at most 60."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProofKey:
    """An agent's private key. It signs and is never shown; its `repr` is the thumbprint of its public half."""

    def __init__(self, key: Ed25519PrivateKey, clock: Callable[[], Epoch], new_id: Callable[[], str]) -> None:
        """`clock` gives wall-clock seconds; `new_id` an id that no proof had before."""
        self._key = key
        self._clock = clock
        self._new_id = new_id
        raw = key.public_key().public_bytes_raw()
        self.jwk: dict[str, Json] = {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(raw).decode("ascii")}
        self.thumbprint = thumbprint(raw)
        self._proof_head = _part({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": self.jwk})
        self._assertion_head = _part({"alg": "EdDSA", "typ": "JWT", "kid": self.thumbprint})

    def __repr__(self) -> str:
        return f"ProofKey({self.thumbprint})"

    def proof(self, method: str, url: str, token: str | None, body: bytes) -> str:
        """A proof that is good for this call alone; without a token, the proof a token is asked for with."""
        claims: dict[str, Json] = {
            "jti": self._new_id(),
            "htm": method,
            "htu": target(url),
            "iat": self._clock(),
        }
        if token is not None:
            claims["ath"] = _digest(token.encode("ascii"))
        if body:
            claims["bh"] = _digest(body)
        return self._signed(self._proof_head, claims)

    def assertion(self, agent: Scope, endpoint: str) -> str:
        """Says to the token endpoint at this URL, and to nobody else, that we are the agent."""
        now = int(self._clock())
        claims: dict[str, Json] = {
            "iss": str(agent),
            "sub": str(agent),
            "aud": endpoint,
            "jti": self._new_id(),
            "iat": now,
            "exp": now + ASSERTION_LIFE,
        }
        return self._signed(self._assertion_head, claims)

    def _signed(self, head: bytes, claims: dict[str, Json]) -> str:
        signed = head + b"." + _part(claims)
        return (signed + b"." + base64url.encode(self._key.sign(signed))).decode("ascii")


def target(url: str) -> str:
    """A URL as a proof names it: scheme and host in lower case, no default port, the path, and the query with it.

    RFC 9449 leaves the query out; a call is judged with it, so its proof holds it.
    Raises ValueError for what is no URL.
    """
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme.lower() not in _DEFAULT_PORTS:
        raise ValueError("not an http or https URL with a host")
    scheme = parts.scheme.lower()
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[scheme]) else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{host}{port}{parts.path or '/'}{query}"


def _part(value: dict[str, Json]) -> bytes:
    return base64url.encode(orjson.dumps(value))


def _digest(content: bytes) -> str:
    return base64url.encode(hashlib.sha256(content).digest()).decode("ascii")
