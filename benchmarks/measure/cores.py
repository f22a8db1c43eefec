"""Which cores load and contenders run on, so that neither takes the other's time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """Cores by number: `load` are those of load generator, tool and collector, `measured` those of all contenders."""

    load: frozenset[int]
    measured: frozenset[int]

    def __str__(self) -> str:
        if self.load == self.measured:
            return "1, of load generator, tool and contenders"
        places = f"load generator and tool on {_listed(self.load)}, contenders on {_listed(self.measured)}"
        return f"{len(self.load | self.measured)}, {places}"


def placement_of(cores: Collection[int]) -> Placement:
    """The first of these cores for the load, the others for what is measured; a single one for both."""
    first, *others = sorted(cores)
    return Placement(frozenset([first]), frozenset(others or [first]))


@contextmanager
def on(cores: Collection[int]) -> Iterator[None]:
    """What this thread starts while the block lasts runs on these cores, and stays there (sched_setaffinity(2))."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _listed(cores: Collection[int]) -> str:
    return f"number {' and '.join(map(str, sorted(cores)))}"
