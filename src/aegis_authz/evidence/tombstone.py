"""Tombstones: what stands in the place of the segments of a log that were retired, so that the rest is still proven.

A tombstone is a signed note (C2SP signed-note) named `aegis-tombstone`. Its lines are that name, the writer, the number
of the last segment retired, how many records those segments held, the hash of the last of them in base64, the hash of
the first in hex (by which anchors know the log), when they were retired and when the last of them was written (whole
seconds since the epoch), a line for each key that sealed a part of them: from which record on, and the raw public key
in base64; and a line `tree` with each hash, in base64, of the largest whole subtrees of the Merkle tree over them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid, SignedByAnother, sign_text, verify_text

_ORIGIN = "aegis-tombstone"
_END_OF_TIME = 253_402_300_799
"""Seconds: the end of the year 9999."""
_NUMBER = "0|[1-9][0-9]{0,17}"
_KEY = "[A-Za-z0-9+/]{43}="
_NOTE = re.compile(
    f"(?P<text>{_ORIGIN}\n(?P<writer>[A-Za-z0-9][A-Za-z0-9._-]{{0,63}})\n(?P<segment>[1-9][0-9]{{0,7}})\n"
    f"(?P<size>[1-9][0-9]{{0,17}})\n(?P<head>{_KEY})\n(?P<first>[0-9a-f]{{64}})\n(?P<at>{_NUMBER})\n(?P<until>{_NUMBER})\n"
    f"(?P<spans>(?:(?:{_NUMBER}) {_KEY}\n){{1,1000}})(?P<tree>(?:tree {_KEY}\n){{1,60}}))"
    f"\n\u2014 {_ORIGIN} (?P<signature>[A-Za-z0-9+/]{{91}}=)\n"
)


class TombstoneInvalid(ValueError):
    """The note is no tombstone of this log; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The records 1 to `size` of a log, the segments 1 to `segment`, were retired. Times are seconds since the epoch.

    `head` is the hash of the last of them, raw, and `first` that of the first, in hex. `spans` are the keys (raw) that
    sealed them, each from which record on. `at` is when they were retired, `until` when the last of them was written.
    `tree` are the hashes of the largest whole subtrees of the tree over them, the largest first.
    """

    writer: str
    segment: int
    size: int
    head: bytes
    first: str
    at: int
    until: int
    spans: tuple[tuple[int, bytes], ...]
    tree: tuple[bytes, ...]

    def sentence(self) -> str:
        """What was retired, for a person."""
        at, until = (datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d") for moment in (self.at, self.until))
        return f"records 1 to {self.size}, the last of them of {until}, were retired on {at}: a tombstone is there"

    def text(self) -> str:
        """The signed text of the note."""
        spans = "".join(f"{begin} {_base64(key)}\n" for begin, key in self.spans)
        tree = "".join(f"tree {_base64(subtree)}\n" for subtree in self.tree)
        head = f"{_ORIGIN}\n{self.writer}\n{self.segment}\n{self.size}\n{_base64(self.head)}\n{self.first}\n"
        return f"{head}{self.at}\n{self.until}\n{spans}{tree}"


class ForeignTombstone(TombstoneInvalid):
    """The note is signed with another key than those given; `tombstone` is what it says, of which nothing is proven."""

    def __init__(self, tombstone: Tombstone) -> None:
        super().__init__("it is signed with another key than those given")
        self.tombstone = tombstone


def sign_tombstone(tombstone: Tombstone, key: Ed25519PrivateKey) -> bytes:
    """The signed note."""
    return sign_text(tombstone.text(), _ORIGIN, key, key.public_key().public_bytes_raw())


def read_tombstone(note: bytes, writer: str, keys: Sequence[bytes]) -> Tombstone:
    """The tombstone of a log in a note that one of the raw public `keys` signed. Raises TombstoneInvalid.

    A key that handed over before the last record that was retired cannot sign it: it is of the past, and may be lost.
    """
    match = _NOTE.fullmatch(note.decode("utf-8", "replace"))
    if match is None:
        raise TombstoneInvalid("not a tombstone")
    pairs = [line.split(" ") for line in match["spans"].splitlines()]
    spans = tuple((int(begin), base64.b64decode(key)) for begin, key in pairs)
    tree = tuple(base64.b64decode(line.removeprefix("tree ")) for line in match["tree"].splitlines())
    segment, size, at, until = (int(match[name]) for name in ("segment", "size", "at", "until"))
    head = base64.b64decode(match["head"])
    tombstone = Tombstone(match["writer"], segment, size, head, match["first"], at, until, spans, tree)
    if tombstone.text() != match["text"]:
        raise TombstoneInvalid("its base64 is not canonical")
    if tombstone.writer != writer:
        raise TombstoneInvalid(f"it is of the log of {tombstone.writer}")
    _require_signed(tombstone, match["signature"], keys)
    if max(tombstone.at, tombstone.until) > _END_OF_TIME:
        raise TombstoneInvalid("its times are no moments")
    if len(tree) != size.bit_count():
        raise TombstoneInvalid("it has not as many subtrees as records")
    begins = [begin for begin, _ in spans]
    if begins != sorted({0, *begins}) or begins[-1] > tombstone.size:
        raise TombstoneInvalid("its keys are not in order")
    if spans[-1][1] not in keys:
        raise TombstoneInvalid("it goes on with a key that is not among those given")
    return tombstone


def _require_signed(tombstone: Tombstone, signature: str, keys: Sequence[bytes]) -> None:
    former = {key for _, key in tombstone.spans[:-1]}
    for key in keys:
        try:
            verify_text(tombstone.text(), _ORIGIN, signature, key)
        except SignedByAnother:
            continue
        except CheckpointInvalid:
            raise TombstoneInvalid("its signature does not verify") from None
        if key in former:
            raise TombstoneInvalid("it is signed with a key that had handed over by then")
        return
    raise ForeignTombstone(tombstone)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
