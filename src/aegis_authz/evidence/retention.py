"""Which segments of a log may be retired: the oldest first, sealed and anchored, and none that is too young."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Which segments may be retired: those sealed `before` a moment, in epoch seconds, and of these, with `at_most`, no
    more than brings a log under so many bytes.
    """

    before: float
    at_most: int | None


@dataclass(frozen=True, slots=True)
class Extent:
    """A segment with a seal: its number, its first and last record, when it was sealed, and its bytes on the disk."""

    segment: int
    first: int
    last: int
    sealed_at: float
    size: int


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What is to be retired of one log, the oldest first, and why the next segment stays.

    `staying` counts the segments that do, and `size` is the bytes of all. `is_held_up` says that the next one stays
    although it is old enough, because no anchor covers it.
    """

    writer: str
    extents: tuple[Extent, ...]
    staying: int
    size: int
    why: str
    is_held_up: bool

    @property
    def retired_size(self) -> int:
        """The bytes that are freed."""
        return sum(extent.size for extent in self.extents)

    def held_up(self, count: int, why: str) -> RetentionPlan:
        """The same with no more than `count` segments to be retired, and why the next one stays although it is old."""
        staying = self.staying + len(self.extents) - count
        return RetentionPlan(self.writer, self.extents[:count], staying, self.size, why, True)


def plan_retention(
    writer: str, sizes: Sequence[int], finished: Sequence[Extent], rule: RetentionRule, anchored: int
) -> RetentionPlan:
    """What the rule retires of a log whose segments have these sizes in bytes; anchors cover its `anchored` records.

    `finished` are those from the first on that have a seal and records behind them. One goes only where an anchor
    covers a record behind it, too: a writer that finds that record unsealed cuts it off and goes on from the seal.
    """
    left = sum(sizes)
    why, is_held_up = "it is open, or has no seal, or no record stands behind it", False
    count = 0
    for extent in finished:
        if extent.sealed_at >= rule.before:
            why = "it is too young"
        elif rule.at_most is not None and left <= rule.at_most:
            why = "the log is small enough"
        elif extent.last >= anchored:  # where no checkpoint is behind it, its writer may go back to its end
            why, is_held_up = "no anchor covers it and a record behind it", True
        else:
            left, count = left - extent.size, count + 1
            continue
        break
    return RetentionPlan(writer, tuple(finished[:count]), len(sizes) - count, sum(sizes), why, is_held_up)
