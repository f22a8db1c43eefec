"""`python -m benchmarks.worst`: the dearest input of every reader, detector and condition, beside plain JSON.

CPU time for each KiB as a multiple of what the strict reader takes for plain JSON of the same length in the same
moment, the least of some rounds. Prints a table, writes benchmarks/out/worst.json and fails when something costs more
than 20 times as much; `--write-docs` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop
from rich.console import Console
from rich.text import Text

from aegis_authz.adapters.opa.http import OpaUnreachable
from aegis_authz.local.servers import ServerMissing
from benchmarks.measure.machine import describe
from benchmarks.measure.results import DearInput, Worst
from benchmarks.report.goals import MOST_WORST
from benchmarks.report.pages import write_page
from benchmarks.worst import bodies, calls, codings, judging, redaction
from benchmarks.worst.cases import ROUNDS, Case, Cost, cost
from benchmarks.worst.tables import markdown, show

OUT = Path(__file__).parents[1] / "out" / "worst.json"
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
START, END = "<!-- worst -->", "<!-- /worst -->"
_UNUSABLE = 2


def main() -> int:
    """Run it; returns the exit code: 1 when something is dearer than it may be, 2 when it could not run."""
    parser = argparse.ArgumentParser(prog="benchmarks.worst", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each input (default: {ROUNDS})")
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    console = Console()
    try:
        worst = measure(arguments.rounds)
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(worst.model_dump_json(indent=2) + "\n", "utf-8")
        if arguments.write_docs:
            write_page(PAGE, START, END, markdown(worst))
    except (ServerMissing, OpaUnreachable, OSError, ValueError) as fault:
        console.print(Text(f"worst: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    show(console, worst)
    return 1 if any(entry.most > MOST_WORST for entry in worst.inputs) else 0


def cases() -> Iterator[Case]:
    """Every input that is read in this process."""
    for room in (bodies, calls, codings, redaction):
        yield from room.cases()


def measure(rounds: int) -> Worst:
    """Read every input, and have every condition judged. Raises what `main` reports."""
    gc.collect()
    gc.freeze()  # as a worker does
    costs = [cost(case, rounds) for case in cases()]
    costs += uvloop.run(judging.costs(rounds))
    return worst_of(costs, describe(None, str(len(os.sched_getaffinity(0)))))


def worst_of(costs: Sequence[Cost], machine: dict[str, str]) -> Worst:
    """What was found, as it is kept."""
    return Worst(machine=machine, inputs=tuple(map(_entry, costs)))


def _entry(spent: Cost) -> DearInput:
    case = spent.case
    return DearInput(
        kind=case.kind.value,
        subject=case.subject,
        shape=case.shape,
        size=case.size,
        wire=case.wire,
        microseconds=spent.microseconds,
        plain=spent.plain,
        times=spent.times,
        times_wire=spent.times_wire,
        taken=case.taken,
    )


if __name__ == "__main__":
    sys.exit(main())
