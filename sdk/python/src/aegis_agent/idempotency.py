"""A key for each call that changes something, so that a tool that knows it does nothing twice.

It stands in the request itself: hops of a redirect, a request that is sent again and the repetition of a held call
carry the key of the first, each with a proof of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

HEADER = "Idempotency-Key"
_HARMLESS = ("GET", "HEAD", "OPTIONS", "TRACE")


def new_key() -> str:
    """A key that no call had before."""
    return secrets.token_hex(16)


def require_key(method: str, headers: MutableMapping[str, Any]) -> None:
    """Give a request a key, unless it has the one of its program, or changes nothing (RFC 9110, section 9.2.1)."""
    if method.upper() not in _HARMLESS and HEADER not in headers:
        headers[HEADER] = new_key()
