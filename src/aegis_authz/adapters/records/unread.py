"""Why a segment on the disk gives no lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

_Line = TypeVar("_Line")


class SegmentUnread(OSError):
    """Segments cannot be read; the message names their files and says why. What else is there was read before."""


class SegmentDamaged(SegmentUnread):
    """A compressed or encrypted segment is not as it was written; the message names it and says why."""


class SegmentLocked(SegmentUnread):
    """An encrypted segment whose key is not to be had; the message names it and says why."""


class NotKnown(SegmentUnread):
    """Nothing of what is sought can be read, and it may be in segments that cannot."""


def read_the_rest(parts: Iterable[Iterable[_Line]]) -> Iterator[_Line]:
    """The lines of all parts, one after the other, of those that can be read; SegmentUnread of the others at the end.

    A part that is gone, because it was retired as it was come to, has no lines.
    """
    faults: list[str] = []
    for part in parts:
        try:
            yield from part
        except FileNotFoundError:
            continue
        except SegmentUnread as fault:
            faults.append(str(fault))
    require_read(faults)


def require_read(faults: Sequence[str]) -> None:
    """Raises SegmentUnread where anything was not."""
    if faults:
        raise SegmentUnread("; ".join(faults))
