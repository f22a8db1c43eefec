"""What an agent's key signs: a proof for each call (RFC 9449), and the assertion a token is got with (RFC 7523)."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.encoding import base64url
from aegis_authz.identity.enrolment import ENROLMENT_TYPE, code_hash
from aegis_authz.identity.proof_mint import ProofMint, target_uri

ASSERTION_LIFE = 30
"""Seconds an assertion lives; the control plane takes at most 60."""


class ProofKey:
    """An agent's private key. It signs and is never shown; its `repr` is the thumbprint of its public half."""

    def __init__(self, key: Ed25519PrivateKey, clock: Callable[[], Epoch], new_id: Callable[[], str]) -> None:
        """`clock` gives wall-clock seconds; `new_id` an id that no proof had before."""
        self._key = key
        self._clock = clock
        self._new_id = new_id
        self._mint = ProofMint(key)
        self.thumbprint = self._mint.thumbprint
        x = base64url.encode(key.public_key().public_bytes_raw()).decode("ascii")
        self.jwk: dict[str, Json] = {"kty": "OKP", "crv": "Ed25519", "x": x}
        self._assertion_head = _part({"alg": "EdDSA", "typ": "JWT", "kid": self.thumbprint})

    def __repr__(self) -> str:
        return f"ProofKey({self.thumbprint})"

    def proof(self, method: str, url: str, token: str | None, body: bytes) -> str:
        """A proof that is good for this call alone; without a token, the proof a token is asked for with.

        Raises ValueError for a URL that is none of a call.
        """
        return self._mint.mint(method, target_uri(url), token or "", body, self._clock(), Jti(self._new_id()))

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

    def enrolment_proof(self, code: str, endpoint: str) -> str:
        """Says to the enrolment endpoint at this URL that who has the code has the key."""
        claims: dict[str, Json] = {
            "code_hash": code_hash(code),
            "aud": endpoint,
            "iat": int(self._clock()),
            "jti": self._new_id(),
        }
        return self._signed(_part({"alg": "EdDSA", "typ": ENROLMENT_TYPE, "jwk": self.jwk}), claims)

    def _signed(self, head: bytes, claims: dict[str, Json]) -> str:
        signed = head + b"." + _part(claims)
        return (signed + b"." + base64url.encode(self._key.sign(signed))).decode("ascii")


def _part(value: dict[str, Json]) -> bytes:
    return base64url.encode(orjson.dumps(value))
