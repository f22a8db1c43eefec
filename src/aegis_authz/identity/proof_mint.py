"""Making proofs, on the agent's side: a JWS by the agent's own key for each call (RFC 9449 section 4.2).

Needs `cryptography` and nothing of a worker. The reading side is `identity/proof.py`; the format is told in
docs/identity.md.
"""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.units import Epoch, Jti
from aegis_authz.encoding import base64url

_TYPE = "dpop+jwt"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProofMint:
    """Proofs by one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        # the canonical form of RFC 7638 section 3 is the key's JWK, its members in order and without spaces
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_encoded(key.public_key().public_bytes_raw())}"}}'
        self._header = base64url.encode(f'{{"alg":"EdDSA","typ":"{_TYPE}","jwk":{jwk}}}'.encode("ascii"))
        self._thumbprint = _digest(jwk.encode("ascii"))

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the key: `cnf.jkt` of the tokens that are bound to it."""
        return self._thumbprint

    def mint(self, method: str, target: str, token: str, body: bytes, now: Epoch, jti: Jti) -> str:
        """The proof of one call.

        `method` is in the case in which it is sent; `target` is what `target_uri` makes of the call's URL; `token` is
        "" where none is sent with the proof, as to a token endpoint; `body` is what is sent, to the byte. `jti` is a
        fresh random text, of 1 to 256 characters; a proof is good once.
        """
        claims: dict[str, str | float] = {"jti": jti, "htm": method, "htu": target, "iat": int(now * 1000) / 1000}
        if token:
            claims["ath"] = _digest(token.encode("utf-8"))
        if body:
            claims["bh"] = _digest(body)
        payload = base64url.encode(json.dumps(claims, separators=(",", ":")).encode("ascii"))
        signed = self._header + b"." + payload
        return (signed + b"." + base64url.encode(self._key.sign(signed))).decode("ascii")


def target_uri(url: str) -> str:
    """The one spelling of a URL that `htu` may have.

    Scheme and host in lower case, no default port, no fragment, no user information, and at least `/` for a path; path
    and query as they are sent, to the byte. A path that a proxy would write anew (`/a/../b`, `//`) must be sent as the
    proxy writes it. Raises ValueError for what is no absolute http or https URL.
    """
    parts = urlsplit(url)
    scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    if scheme not in _DEFAULT_PORTS or not host:
        raise ValueError("not an absolute http or https URL")
    host = host.lower().removesuffix(".")
    authority = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        authority += f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{authority}{parts.path or '/'}{query}"


def _encoded(data: bytes) -> str:
    return base64url.encode(data).decode("ascii")


def _digest(data: bytes) -> str:
    return _encoded(hashlib.sha256(data).digest())
