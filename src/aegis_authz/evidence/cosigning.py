"""What witnesses answered when they were asked to cosign the tree over a log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What one witness answered: when it cosigned (whole seconds since the epoch, 0 for never), and why not."""

    name: str
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Cosigning:
    """What came of one log of so many records: `is_kept` says that enough witnesses cosigned its head, which is kept
    beside it; `why` is why witnesses were not asked at all, "" where they were.
    """

    writer: str
    size: int
    answers: tuple[WitnessAnswer, ...]
    is_kept: bool
    why: str
