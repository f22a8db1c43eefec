"""Two runs side by side: whether the second found what the first did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measure.results import Contender, Results, Spread


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of one contender in two runs, medians of the rounds.

    They agree when either median lies within the other run's spread of rounds.
    """

    contender: str
    figure: str
    medians: tuple[float, float]
    agree: bool

    @property
    def change(self) -> float:
        """By which share the second is above the first; 0 when the first is 0."""
        first, second = self.medians
        return second / first - 1 if first else 0.0


def compare(first: Results, second: Results) -> list[Comparison]:
    """CPU of a decision, rate and p99 at each rate, of every contender that played in both runs."""
    return [
        compared
        for contender in first.contenders
        if (counterpart := second.contender(contender.name)) is not None
        for compared in _comparisons_of(contender, counterpart)
    ]


def table(comparisons: list[Comparison]) -> Table:
    """As a table, a line for each figure."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(("contender", "figure", "first", "second", "change", "within the spread")):
        drawn.add_column(column, justify="right" if number in (2, 3, 4) else "left")
    for comparison in comparisons:
        first, second = comparison.medians
        verdict = "[green]yes[/]" if comparison.agree else "[bold red]NO[/]"
        drawn.add_row(
            comparison.contender,
            comparison.figure,
            f"{first:.1f}",
            f"{second:.1f}",
            f"{comparison.change:+.0%}",
            verdict,
        )
    return drawn


def _comparisons_of(contender: Contender, counterpart: Contender) -> Iterator[Comparison]:
    if contender.total and counterpart.total:
        yield _compared(
            contender.name,
            "µs CPU",
            (contender.total, counterpart.total),
            (contender.cpu_spread, counterpart.cpu_spread),
        )
    yield _compared(
        contender.name, "right/s", (contender.rate, counterpart.rate), (contender.rate_spread, counterpart.rate_spread)
    )
    for point in contender.open:
        match = counterpart.at(point.share)
        if match is None or point.p99_ms is None or match.p99_ms is None:
            continue
        if point.p99_spread is not None and match.p99_spread is not None:
            figure = f"p99 ms at {point.share:.0%}"
            yield _compared(contender.name, figure, (point.p99_ms, match.p99_ms), (point.p99_spread, match.p99_spread))


def _compared(name: str, figure: str, medians: tuple[float, float], spreads: tuple[Spread, Spread]) -> Comparison:
    (first, second), (around_first, around_second) = medians, spreads
    agree = around_second[0] <= first <= around_second[1] or around_first[0] <= second <= around_first[1]
    return Comparison(name, figure, medians, agree)
