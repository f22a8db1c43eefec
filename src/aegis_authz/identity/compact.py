"""Compact JWS (RFC 7515 section 7.1) taken apart strictly: canonical base64url, strict JSON, a bound on the size."""

from __future__ import annotations

from dataclasses import dataclass

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import base64url, strict_json

_MAX_TEXT = 256
_SIGNATURE_BYTES = 64


def split_jws(text: str, max_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Take one apart, without reading what its parts say.

    Returns the header as it is written, the claims decoded, what is signed, and the signature decoded.
    Raises ValueError.
    """
    if len(text) > max_bytes:
        raise ValueError("too long")
    raw = text.encode("ascii")
    head, payload, signature = raw.split(b".")
    return head, base64url.decode(payload), raw[: len(head) + 1 + len(payload)], base64url.decode(signature)


def is_signature(signature: bytes, signed: bytes, raw_public: bytes) -> bool:
    """Whether the Ed25519 key of these 32 bytes made the signature (RFC 8032)."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + signed, raw_public)
    except BadSignatureError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A JWS, nothing of it verified: what is signed, by which signature, and what header and claims say."""

    header: dict[str, Json]
    claims: dict[str, Json]
    signed: bytes
    signature: bytes

    @staticmethod
    def parse(text: str, max_bytes: int) -> CompactJws:
        """Take it apart. Raises ValueError."""
        head, claims_text, signed, signature = split_jws(text, max_bytes)
        try:
            header = strict_json.parse_object(base64url.decode(head))
            claims = strict_json.parse_object(claims_text)
        except Refused as refused:
            raise ValueError(refused.detail) from None
        return CompactJws(header, claims, signed, signature)

    def is_signed_by(self, raw_public: bytes) -> bool:
        """Whether the Ed25519 key of these 32 bytes made the signature (RFC 8032)."""
        return is_signature(self.signature, self.signed, raw_public)

    def text(self, name: str) -> str:
        """A claim that is a short text. Raises ValueError."""
        value = self.claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
            raise ValueError(f"{name} is missing or not a short text")
        return value

    def time(self, name: str) -> Epoch:
        """A claim that is a time. Raises ValueError."""
        value = self.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
            raise ValueError(f"{name} is missing or not a time")
        return Epoch(float(value))
