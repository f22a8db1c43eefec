"""Base64url without padding, and only its canonical spelling (RFC 7515 section 2, RFC 4648 section 3.5)."""

from __future__ import annotations

import base64
import binascii

_STANDARD = bytes.maketrans(b"-_", b"+/")
_ALIEN = b"+/="


def decode(text: bytes) -> bytes:
    """Decode, or raise ValueError for padding, foreign characters, or bits that are not zero."""
    if any(byte in text for byte in _ALIEN):
        raise ValueError("not base64url")
    try:
        data = binascii.a2b_base64(text.translate(_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error as fault:
        raise ValueError("not base64url") from fault
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data


def encode(data: bytes) -> bytes:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")
