"""Base64url without padding, and only its canonical spelling (RFC 7515 section 2, RFC 4648 section 3.5)."""

from __future__ import annotations

import base64
import binascii

_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""By the letters left over after groups of four: which the last may be, for the bits beyond the last byte are zero."""


def decode(text: bytes) -> bytes:
    """Decode, or raise ValueError for padding, foreign characters, or bits that are not zero."""
    if b"=" in text or b"+" in text or b"/" in text:
        raise ValueError("not base64url")
    rest = len(text) & 3
    if rest:
        if rest == 1:
            raise ValueError("not base64url")
        if text[-1] not in _LAST[rest]:
            raise ValueError("not canonical base64url")
    try:
        return binascii.a2b_base64(text.translate(_STANDARD) + _PADDING[rest], strict_mode=True)
    except binascii.Error as fault:
        raise ValueError("not base64url") from fault


def encode(data: bytes) -> bytes:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")
