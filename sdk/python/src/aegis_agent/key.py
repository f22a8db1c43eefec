"""What an agent's key signs: a proof for each call (RFC 9449), and the assertion a token is got with (RFC 7523)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aegis_agent.errors import AegisUnavailable

ASSERTION_LIFE = 30
"""Seconds an assertion lives; the control plane takes at most 60."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_BYTES = 16_384
_OTHERS, _OTHERS_OF_ROOTS = 0o077, 0o037


class AgentKey:
    """An agent's private key. It signs and is never shown; its `repr` is the thumbprint of its public half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        # the canonical form of RFC 7638 section 3 is the key's JWK, its members in order and without spaces
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_encoded(key.public_key().public_bytes_raw())}"}}'
        self.thumbprint = _digest(jwk.encode("ascii"))
        self._proof_head = _encoded(f'{{"alg":"EdDSA","typ":"dpop+jwt","jwk":{jwk}}}'.encode("ascii"))
        self._assertion_head = _encoded(f'{{"alg":"EdDSA","typ":"JWT","kid":"{self.thumbprint}"}}'.encode("ascii"))

    def __repr__(self) -> str:
        return f"AgentKey({self.thumbprint})"

    def proof(self, method: str, url: str, token: str, body: bytes) -> str:
        """A proof that is good for this call, once; without a token, the proof a token is asked for with.

        Raises ValueError for a URL that is none of a call.
        """
        claims: dict[str, str | float] = {"jti": secrets.token_hex(16), "htm": method, "htu": target_uri(url)}
        claims["iat"] = int(time.time() * 1000) / 1000
        if token:
            claims["ath"] = _digest(token.encode("ascii"))
        if body:
            claims["bh"] = _digest(body)
        return self._signed(self._proof_head, claims)

    def assertion(self, agent: str, endpoint: str) -> str:
        """Says to the token endpoint at this URL, and to nobody else, that we are the agent."""
        now = int(time.time())
        claims: dict[str, str | float] = {"iss": agent, "sub": agent, "aud": endpoint, "jti": secrets.token_hex(16)}
        return self._signed(self._assertion_head, {**claims, "iat": now, "exp": now + ASSERTION_LIFE})

    def _signed(self, head: str, claims: dict[str, str | float]) -> str:
        content = f"{head}.{_encoded(json.dumps(claims, separators=(',', ':')).encode('ascii'))}"
        return f"{content}.{_encoded(self._key.sign(content.encode('ascii')))}"


def load_key(path: Path) -> AgentKey:
    """The Ed25519 key in a PEM file that its reader alone can read. Raises AegisUnavailable, which holds no key."""
    try:
        key = load_pem_private_key(_secret(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AegisUnavailable(f"{path}: no private key in PEM; enrol the agent anew") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AegisUnavailable(f"{path}: not an Ed25519 key; enrol the agent anew: aegis agent enroll CODE")
    return AgentKey(key)


def target_uri(url: str) -> str:
    """The spelling of a URL that a proof is about: scheme and host in lower case, no default port, no fragment.

    Path and query stay as they are sent, to the byte. Raises ValueError for what is no absolute http or https URL.
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


def _secret(path: Path) -> bytes:
    try:
        # the open file is judged, not the name: what is checked is what is read
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise AegisUnavailable(f"{path}: not a regular file")
            # root's may be readable by a group: so Kubernetes gives a secret to a process that is not root
            others = _OTHERS_OF_ROOTS if status.st_uid == 0 != os.geteuid() else _OTHERS
            if status.st_mode & others:
                raise AegisUnavailable(f"{path}: others can use this key; run: chmod 600 {path}")
            return file.read(_MOST_BYTES)
    except OSError as fault:
        raise AegisUnavailable(f"{path}: {fault.strerror or fault}; enrol the agent: aegis agent enroll CODE") from None


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _digest(content: bytes) -> str:
    return _encoded(hashlib.sha256(content).digest())
