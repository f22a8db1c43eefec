"""Passwords, as argon2id (RFC 9106) keeps them."""

from __future__ import annotations

from functools import cache

from nacl.exceptions import CryptoError, InvalidkeyError
from nacl.pwhash import argon2id

SHORTEST, LONGEST = 12, 256
"""Characters of a password: length is what NIST SP 800-63B asks for, and no mixture."""

_PASSES, _BYTES = 3, 64 * 1024 * 1024  # RFC 9106 section 4, the second recommended option, on one lane


class WeakPassword(Exception):
    """A password that is refused when it is set; the message is fit to show."""


def require_strength(password: str, person_id: str) -> None:
    """Raises WeakPassword unless it is long enough, printable, and neither the name nor one thing repeated."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"a password must be {SHORTEST} to {LONGEST} characters")
    if not password.isprintable():
        raise WeakPassword("a password must be printable characters")
    is_monotone = any(password == password[:size] * (len(password) // size) for size in (1, 2, 3))
    if is_monotone or password.casefold() in (person_id, person_id[::-1]):
        raise WeakPassword("a password must not be a name, or a few characters repeated")


def hash_password(password: str) -> str:
    """The hash to keep, with its salt and its cost. Takes some 64 MiB and a tenth of a second."""
    return argon2id.str(password.encode("utf-8"), opslimit=_PASSES, memlimit=_BYTES).decode("ascii")


def is_password(password: str, password_hash: str) -> bool:
    """Whether it is that of the hash. An empty hash is of nobody, who is refused as slowly as everybody."""
    try:
        argon2id.verify((password_hash or _hash_of_nobody()).encode("ascii"), password.encode("utf-8"))
    except (InvalidkeyError, CryptoError):
        return False
    return bool(password_hash)


@cache
def _hash_of_nobody() -> str:
    return hash_password("nobody")
