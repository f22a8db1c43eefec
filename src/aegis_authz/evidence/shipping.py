"""Sealed segments in a store of objects: what they are called there, and the ledger of those that were shipped.

A segment is shipped as the file that holds it, under `<prefix><writer>/<file>`, whatever its form is; what it holds is
proven by its seal. The ledger stands beside the log, a JSON object a line. It says which version of which object to ask
for and proves nothing: what is believed of an object is read from the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

_KEY = re.compile(r"(?P<writer>[A-Za-z0-9][A-Za-z0-9._-]{0,63})/(?P<file>(?P<segment>[0-9]{8})\.jsonl(?:\.gz|\.enc)?)")
_TOMBSTONE = re.compile(r"(?P<writer>[A-Za-z0-9][A-Za-z0-9._-]{0,63})/tombstone-(?P<segment>[0-9]{8})\.note")


class LedgerInvalid(ValueError):
    """A line of a ledger cannot be used; the message names the line."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """A segment that was shipped: the object and its version, its bytes and their SHA-256 in hex, how it is locked and
    until when, and when it was shipped. Times are whole seconds since the epoch.
    """

    segment: int
    store: str
    key: str
    version: str
    size: int
    sha256: str
    mode: str
    until: int
    at: int


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the key of an object says that it holds: a segment of a writer, in a file of that name."""

    writer: str
    segment: int
    file: str


@dataclass(frozen=True, slots=True)
class Shipping:
    """What became of one sealed segment: `shipped`, `found` in the store from a run that did not end, `pending` in a
    dry run, or `refused`; then `why`.
    """

    writer: str
    segment: int
    state: str
    key: str
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class ShippedSegment:
    """A sealed segment and its object: `shipped`, `waiting` (not shipped yet), or `damaged`; then `why`.

    `is_here` says whether the segment is in the folder, too, and `until`, whole seconds since the epoch, how long its
    object is locked, 0 where there is none.
    """

    writer: str
    segment: int
    state: str
    key: str
    until: int
    is_here: bool
    why: str


@dataclass(frozen=True, slots=True)
class Fetching:
    """What became of one segment, or of an object that is none: `fetched`, `present`, `missing`, `unproven` (no version
    of it is what its name says), `different` (the file that is there holds something else), `foreign`; `why` says more.
    `faults` are the versions that are not as they were shipped, where an older one is.
    """

    writer: str
    segment: int
    state: str
    key: str
    why: str
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the segment is there now, and nothing is wrong with its object."""
        return self.state in ("fetched", "present") and not self.faults


def segment_key(prefix: str, writer: str, file: str) -> str:
    """The key of the object that holds a file of a segment."""
    return f"{prefix}{writer}/{file}"


def read_segment_key(prefix: str, key: str) -> SegmentName | None:
    """The segment that the key names, None where it is none of a segment under that prefix."""
    match = _KEY.fullmatch(key.removeprefix(prefix))
    if match is None or not key.startswith(prefix) or not int(match["segment"]):
        return None
    return SegmentName(match["writer"], int(match["segment"]), match["file"])


def tombstone_key(prefix: str, writer: str, segment: int) -> str:
    """The key of the tombstone that stands for the segments until that one, which were never shipped."""
    return f"{prefix}{writer}/tombstone-{segment:08d}.note"


def read_tombstone_key(prefix: str, key: str) -> tuple[str, int] | None:
    """The writer, and the last segment that a tombstone of that key stands for; None for another key."""
    match = _TOMBSTONE.fullmatch(key.removeprefix(prefix))
    return (match["writer"], int(match["segment"])) if match is not None and key.startswith(prefix) else None


def encode_shipment(shipment: Shipment) -> bytes:
    """A line of the ledger."""
    return json.dumps(asdict(shipment), separators=(",", ":")).encode("ascii") + b"\n"


def read_ledger(lines: Iterable[bytes]) -> Iterator[Shipment]:
    """What was shipped, in order. A last line that was not written to its end counts for nothing: the segment is
    shipped again, and found. Raises LedgerInvalid.
    """
    for number, line in enumerate(lines, start=1):
        if line.endswith(b"\n"):
            yield _shipment(number, line)


def _shipment(number: int, line: bytes) -> Shipment:
    try:
        value = json.loads(line)
    except ValueError:
        raise LedgerInvalid(f"line {number} is no JSON") from None
    kinds = {field.name: int if field.type == "int" else str for field in fields(Shipment)}
    if not isinstance(value, dict) or {name: type(member) for name, member in value.items()} != kinds:
        raise LedgerInvalid(f"line {number} is no shipment")
    return Shipment(**value)
