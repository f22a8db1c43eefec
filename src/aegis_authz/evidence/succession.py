"""Successions: the key of records hands over to the next one, in a signed note (C2SP signed-note).

A note is five lines: the origin `aegis-succession`, the raw former key and the raw next one in base64, an empty line,
and a signature by the former key. It stands in a record of each log that goes on with the next key, so a log is
proven across the change by whoever knows both keys, and a foreign key begins nothing.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid, sign_text, verify_text

_ORIGIN = "aegis-succession"
_KEY = "[A-Za-z0-9+/]{43}="
_NOTE = re.compile(
    f"(?P<text>{_ORIGIN}\n(?P<former>{_KEY})\n(?P<successor>{_KEY})\n)"
    f"\n\u2014 {_ORIGIN} (?P<signature>[A-Za-z0-9+/]{{91}}=)\n"
)


class SuccessionInvalid(ValueError):
    """The note is no succession that its former key signed; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One change of key: the raw public halves, and the note by which the former one says so."""

    former: bytes
    successor: bytes
    note: str


def sign_succession(former: Ed25519PrivateKey, successor: bytes) -> Succession:
    """The change from a key to the one of that raw public half."""
    raw = former.public_key().public_bytes_raw()
    text = f"{_ORIGIN}\n{_text(raw)}\n{_text(successor)}\n"
    return Succession(raw, successor, sign_text(text, _ORIGIN, former, raw).decode("utf-8"))


def read_succession(note: str) -> Succession:
    """The change that a note is about, its signature verified by the former key it names. Raises SuccessionInvalid.

    That says nothing of whether the former key is one to believe.
    """
    match = _NOTE.fullmatch(note)
    if match is None:
        raise SuccessionInvalid("not the succession of a key")
    former, successor = (base64.b64decode(match[name]) for name in ("former", "successor"))
    if note != f"{_ORIGIN}\n{_text(former)}\n{_text(successor)}\n\n\u2014 {_ORIGIN} {match['signature']}\n":
        raise SuccessionInvalid("a key of the succession is not canonical base64")
    try:
        verify_text(match["text"], _ORIGIN, match["signature"], former)
    except (CheckpointInvalid, ValueError):
        raise SuccessionInvalid("the key before did not sign the succession") from None
    return Succession(former, successor, note)


def path_between(successions: tuple[Succession, ...], former: bytes, last: bytes) -> tuple[Succession, ...] | None:
    """The changes that lead from one key to another, in order; none for the same key, None where no way leads there."""
    path: list[Succession] = []
    key = former
    while key != last:
        following = next((step for step in reversed(successions) if step.former == key and step not in path), None)
        if following is None:
            return None
        path.append(following)
        key = following.successor
    return tuple(path)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
