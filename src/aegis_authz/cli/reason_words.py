"""Reasons as people write them on a command line."""

from __future__ import annotations

from difflib import get_close_matches

from aegis_authz.core.reason import Reason

_NAMES = [reason.value for reason in Reason]


def read_reason(word: str) -> Reason:
    """The reason of that code, in any case. Raises ValueError with the codes near to it."""
    if word.upper() in _NAMES:
        return Reason(word.upper())
    near = get_close_matches(word.upper(), _NAMES, 3)
    raise ValueError(f"{word!r} is no reason{'; near to it: ' + ', '.join(near) if near else ''}")
