"""How a run reads: one table for the terminal and for docs/performance.md, and the goals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.measure.results import FLOOR, PEER, QUANTILES, Contender, Milliseconds, Point, Results
from benchmarks.report.goals import Goal
from benchmarks.report.pages import write_page

WIDE = 140
START, END = "<!-- table -->", "<!-- end of table -->"

_COLUMNS = (
    *("contender", "offered/s", "right/s", "least-most", "p50 ms", "p90", "p99", "p99.9"),
    *("µs CPU", "authz", "OPA", "Redis", "Envoy", "x peer", "slowest", "MiB", "refused", "errors"),
)
_CLOSED_ONLY = 4
"""Columns between those of CPU and the ratio that belong to the closed loop, and two after it."""
_CLOSED_LAST = 2
_LEGEND = (
    "Every token is used once, one call in 20 must be denied, and every answer is checked.",
    "closed: each connection sends its next call when its last is answered; the latencies there are the whole.",
    "at N %: open loop at that share of the closed loop's rate; latency counts from when a call was due,",
    "less that of Envoy alone at the same rate.",
    "µs CPU: for each right answer, what others cost included, of authorizer, OPA and Redis; Envoy is beside it.",
    "x peer: decisions for a second of CPU, as a multiple of the Go peer's; at a rate: of what it does at that rate.",
    "slowest: µs CPU of the closed loop in the run where it took most. MiB: resident, of all parts.",
)
_VERDICT = {True: "met", False: "MISSED", None: "not measured"}
_STYLE = {True: "green", False: "bold red", None: "yellow"}


def show(console: Console, results: Results, goals: Sequence[Goal]) -> None:
    """Print the table, whoever was left out, the goals, and what was at fault."""
    console.print(_table(results))
    for line in captions(results):
        console.print(Text(line))
    show_left_out(console, results.left_out)
    console.print(_goals(goals))
    for line in faults(results):
        console.print(Text(line, style="red"))
    if results.wrong:
        console.print(Text(f"{results.wrong} wrong answers: this run is VOID.", style="bold red"))


def show_left_out(console: Console, left_out: Mapping[str, str]) -> None:
    """Say loudly who does not take part, and how to have him."""
    for name, why in left_out.items():
        # not folded: it holds commands to be copied
        console.print(Text(f"LEFT OUT: {name}. {why}", style="bold yellow"), soft_wrap=True)


def rows(results: Results) -> Iterator[tuple[str, ...]]:
    """The cells of the table: of each contender the closed loop, then each rate of the open one."""
    for contender in results.contenders:
        ratio = results.ratio_to_peer.get(contender.name)
        yield (
            *_loop(contender.name, "closed", contender, contender.rate_spread),
            _whole(contender.total or None),
            *(_whole(contender.cpu_us_per_decision.get(part)) for part in ("authz", "opa", "redis", "envoy")),
            "" if ratio is None else f"{ratio:.2f}",
            _whole(results.slowest(contender.name)),
            _whole(sum(contender.resident_mib.values())),
            *_counts(contender.answers.turned_away, contender.answers.errors),
        )
        if contender.name == FLOOR:
            continue  # what it says at each rate stands in the rows of the others, which are above it
        for point in contender.open:
            spent, others = point.us_per_decision, _at_rate(results, PEER, point.offered)
            yield (
                *_open(point),
                _whole(spent),
                *[""] * _CLOSED_ONLY,
                "" if spent is None or others is None else f"{others / spent:.2f}",
                *[""] * _CLOSED_LAST,
                *_counts(point.answers.turned_away, point.answers.errors),
            )


def captions(results: Results) -> list[str]:
    """What the table cannot say of itself, with the machine it was made on."""
    method = results.method
    caption = (
        f"Medians of {method.rounds} alternating rounds of {method.seconds:g} s; {method.connections} connections; "
        f"{method.policies:,} other policies loaded."
    )
    if results.repeats:
        runs = len(results.repeats) + 1
        caption += (
            f" {runs} runs, with processes of their own; shown is the one in the middle by Aegis against the peer."
        )
    return [
        caption,
        *_LEGEND,
        *method.notes,
        "; ".join(f"{name}: {value}" for name, value in results.machine.items()) + ".",
    ]


def faults(results: Results) -> Iterator[str]:
    """One line for each kind of wrong or missing answer, and of refusal."""
    for contender in results.contenders:
        loops = [
            ("closed loop", contender.answers),
            *((f"{point.share:.0%} offered", point.answers) for point in contender.open),
        ]
        for loop, answers in loops:
            for kind, counts in (("refused", answers.refused), ("at fault", answers.faults)):
                for reason, count in counts.items():
                    yield f"{contender.name}, {loop}: {kind} {count} x {reason}"


def markdown(results: Results, goals: Sequence[Goal]) -> str:
    """The table and the goals for docs/performance.md."""
    head = [_line(_COLUMNS), _line(["---", *["---:"] * (len(_COLUMNS) - 1)])]
    verdicts = [_line(("goal", "wanted", "measured", "", "how")), _line(["---"] * 5)]
    verdicts += [_line((str(goal.number), goal.text, goal.measured, _VERDICT[goal.met], goal.why)) for goal in goals]
    left_out = [f"Left out: {name}. {why}" for name, why in results.left_out.items()]
    parts = ([*head, *map(_line, rows(results))], [" ".join(captions(results))], left_out, verdicts)
    return "\n\n".join("\n".join(part) for part in parts if part)


def write_docs(results: Results, goals: Sequence[Goal], path: Path) -> None:
    """Put the table between the markers of the page. Raises OSError, ValueError without the markers."""
    write_page(path, START, END, markdown(results, goals))


def _table(results: Results) -> Table:
    table = Table(title="What a decision costs", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows(results):
        table.add_row(*row, style="" if row[0].startswith(" ") else "bold")
    return table


def _goals(goals: Sequence[Goal]) -> Table:
    table = Table(title="Goals", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "wanted", "measured", "", "how"):
        table.add_column(column)
    for goal in goals:
        verdict = Text(_VERDICT[goal.met], style=_STYLE[goal.met])
        table.add_row(str(goal.number), goal.text, goal.measured, verdict, goal.why)
    return table


def _loop(name: str, offered: str, contender: Contender, spread: tuple[float, float]) -> tuple[str, ...]:
    times = (_time(getattr(contender, quantile)) for quantile in QUANTILES)
    return (name, offered, f"{contender.rate:.0f}", f"{spread[0]:.0f}-{spread[1]:.0f}", *times)


def _open(point: Point) -> tuple[str, ...]:
    added: Milliseconds = point.added or {}
    times = (f"{_time(added[name], '+')}" if name in added else "" for name in QUANTILES)
    spread = f"{point.rate_spread[0]:.0f}-{point.rate_spread[1]:.0f}"
    return (f"  at {point.share:.0%} of it", f"{point.offered:.0f}", f"{point.rate:.0f}", spread, *times)


def _at_rate(results: Results, name: str, rate: float) -> float | None:
    """What a decision of this contender costs at a rate, microseconds of CPU; None where it was not offered that."""
    points = (point for contender in results.contenders if contender.name == name for point in contender.open)
    return next((point.us_per_decision for point in points if math.isclose(point.offered, rate, abs_tol=0.5)), None)


def _counts(*counts: int) -> tuple[str, ...]:
    return tuple(str(count or "") for count in counts)


def _time(milliseconds: float | None, sign: str = "") -> str:
    return "-" if milliseconds is None else f"{milliseconds:{sign}.1f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _line(cells: Sequence[str]) -> str:
    # spaces that lead in a cell are lost in Markdown
    return f"| {' | '.join(cell.replace('  ', '&ensp;') for cell in cells)} |"
