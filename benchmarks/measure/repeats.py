"""Several runs of the whole benchmark, with processes of their own each: the middle one is shown, beside the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.measure.results import Repeat, Results


def middle(runs: Sequence[Results]) -> Results:
    """The run in the middle of all by what Aegis as delivered reaches against the peer, and what the others found.

    Without a peer by the CPU of its decisions; of an even number the worse of the two in the middle. Figures of
    several runs are not mixed: only those of one can be compared. Raises ValueError without a run.
    """
    if not runs:
        raise ValueError("there was no run")
    worst_first = sorted(runs, key=_merit)
    shown = worst_first[(len(runs) - 1) // 2]
    return shown.model_copy(update={"repeats": tuple(map(_repeat, (run for run in runs if run is not shown)))})


def _merit(run: Results) -> float:
    mine = run.contender(run.default)
    cost = mine.total if mine is not None and mine.total else math.inf  # without a figure it answered nothing rightly
    return run.ratio_to_peer.get(run.default, -cost)


def _repeat(run: Results) -> Repeat:
    return Repeat(
        us_per_decision={contender.name: contender.total for contender in run.contenders if contender.total},
        ratio_to_peer=run.ratio_to_peer,
        wrong=run.wrong,
    )
