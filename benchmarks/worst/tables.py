"""How the dearest inputs read: one table for the terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.measure.results import DearInput, Worst
from benchmarks.report.goals import MOST_WORST
from benchmarks.worst.cases import KIB

COLUMNS = ("", "of", "to 1 KiB", "dearest", "longer", "dearest", "bytes", "ms", "µs a KiB", "plain JSON", "on the wire")
_FIGURES = (2, 4, 6, 7, 8, 9, 10)
_VERDICT = {True: "met", False: "missed"}


def rows(worst: Worst) -> Iterator[tuple[str, ...]]:
    """For each reader its dearest short and its dearest longer input; figures of the longer, where there is one."""
    for kind, subject in worst.dearest:
        inputs = [entry for entry in worst.inputs if (entry.kind, entry.subject) == (kind, subject)]
        short = _dearest([entry for entry in inputs if entry.size <= KIB])
        longer = _dearest([entry for entry in inputs if entry.size > KIB])
        entry = longer or short
        figures = ("", "", "", "") if entry is None else _figures(entry)
        wire = max((entry.times_wire for entry in inputs if entry.wire < entry.size), default=None)
        yield (
            *(kind, f"`{subject}`", *_multiple(short), *_multiple(longer), *figures),
            "" if wire is None else f"{wire:.1f}x",
        )


def _dearest(inputs: Sequence[DearInput]) -> DearInput | None:
    return max(inputs, key=lambda entry: entry.times, default=None)


def _multiple(entry: DearInput | None) -> tuple[str, str]:
    if entry is None:
        return "", ""
    times = f"{entry.times:.1f}x"
    return f"**{times}**" if entry.times > MOST_WORST else times, entry.shape + ("" if entry.taken else ", refused")


def _figures(entry: DearInput) -> tuple[str, ...]:
    for_kib = entry.microseconds * KIB / entry.size
    return f"{entry.size:,}", f"{entry.microseconds / 1e3:.1f}", f"{for_kib:.0f}", f"{entry.plain:.0f}"


def verdict(worst: Worst) -> str:
    """How many readers keep within the goal, and which of their inputs is dearest."""
    dearest = worst.dearest.values()
    beyond = [entry for entry in dearest if entry.most > MOST_WORST]
    most = max(dearest, key=lambda entry: entry.most)
    long = {(entry.kind, entry.subject) for entry in worst.inputs if entry.size > KIB and entry.times > MOST_WORST}
    return (
        f"{len(dearest) - len(beyond)} of {len(dearest)} stay within {MOST_WORST:g}x ({len(dearest) - len(long)} where "
        f"inputs longer than 1 KiB are counted alone, and as they are read); the dearest is {most.kind} {most.subject} "
        f"at {most.most:.1f}x ({most.shape}). Goal: {_VERDICT[not beyond]}."
    )


def markdown(worst: Worst) -> str:
    """The table as the page has it, and the machine it was made on."""
    lines = ["| " + " | ".join(COLUMNS) + " |"]
    lines.append("|" + "|".join("---:" if place in _FIGURES else "---" for place in range(len(COLUMNS))) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows(worst)]
    machine = "; ".join(f"{name}: {value}" for name, value in worst.machine.items())
    return "\n".join((*lines, "", verdict(worst), "", f"{machine}."))


def show(console: Console, worst: Worst) -> None:
    """Print the table, and whether the goal is met."""
    table = Table(*COLUMNS, box=SIMPLE_HEAD)
    for row in rows(worst):
        table.add_row(*(Text(cell.replace("*", "").replace("`", "")) for cell in row))
    console.print(table)
    console.print(Text(verdict(worst)))
