"""What a soak found: each series flat or drifting, what is wrong in one sentence each, and the picture of it all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.load.outcome import Outcome
from benchmarks.measure.drift import Allowance, trend
from benchmarks.measure.samples import DESCRIPTORS, KEY_MEMORY, KEYS, MEMORY, THREADS, Sample, Series

MIDDLE, TAIL = "median latency in ms", "99th percentile of latency in ms"
PER_CALL = "bytes for each call"
CALLS, RECORDS = "calls", "records"
ALLOWANCES: Mapping[str, Allowance] = {
    MEMORY: Allowance(0.05, 4.0),
    DESCRIPTORS: Allowance(0.05, 8.0),
    THREADS: Allowance(0.0, 4.0),
    KEYS: Allowance(0.05, 200.0),
    KEY_MEMORY: Allowance(0.05, 2.0),
    MIDDLE: Allowance(0.5, 2.0),
    TAIL: Allowance(0.75, 10.0),
    PER_CALL: Allowance(0.05, 20.0),
}
"""How far each may rise over a run."""
MOST_REFUSED = 0.01
"""Share of the calls: at half of the ceiling none needs to be, yet a machine may stop for a moment."""
LEAST_WINDOWS = 6


class SeriesResult(BaseModel):
    """One series over the run, warm-up and all.

    A value is None where there was nothing to measure; `share` is the rise after the warm-up, None without a median.
    """

    model_config = ConfigDict(frozen=True)

    whose: str
    what: str
    values: tuple[float | None, ...]
    middle: float
    rise: float
    share: float | None
    drifts: bool

    @property
    def sentence(self) -> str:
        """The drift in words."""
        by = "without end" if self.share is None else f"by {self.share:.0%}"
        return f"{self.whose}: {self.what} drifts {by} over the run, {self.rise:+.1f} on {self.middle:.1f}"


class SoakReport(BaseModel):
    """A soak. `times` are the seconds of the values of all series, `faults` why it fails, none when it does not."""

    model_config = ConfigDict(frozen=True)

    rate: float
    seconds: float
    warm_up: float
    right: int
    refused: Mapping[str, int]
    wrong: int
    failed: int
    records: int
    times: tuple[float, ...]
    series: tuple[SeriesResult, ...]
    faults: tuple[str, ...]


def judge(
    rate: float, outcomes: Sequence[Outcome], samples: Sequence[Sample], records: int, warm_up: float
) -> SoakReport:
    """Judge a run by its windows, each with the sample at its end, and by its number of records.

    `warm_up` is the seconds at the beginning that no trend is looked for in. Raises ValueError when fewer than six
    windows are left.
    """
    times = tuple(sample.at for sample in samples)
    series = tuple(_series_result(*key, times, values, warm_up) for key, values in _series(outcomes, samples).items())
    refused: Counter[str] = Counter()
    for outcome in outcomes:
        refused.update(outcome.refused)
    return SoakReport(
        rate=rate,
        seconds=times[-1],
        warm_up=warm_up,
        right=sum(outcome.right for outcome in outcomes),
        refused=dict(refused),
        wrong=sum(outcome.wrong for outcome in outcomes),
        failed=sum(outcome.failed for outcome in outcomes),
        records=records,
        times=times,
        series=series,
        faults=(*_wrongs(outcomes, refused, records), *(result.sentence for result in series if result.drifts)),
    )


def keep(soak: SoakReport, folder: Path) -> list[Path]:
    """Write figures and pictures; returns where. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "soak.json"
    table.write_text(soak.model_dump_json(indent=1) + "\n", "utf-8")
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = _picture(soak)
        pictures = [folder / f"soak.{kind}" for kind in ("svg", "png")]
        for path in pictures:
            figure.savefig(path, dpi=144)
    return [table, *pictures]


def show(console: Console, soak: SoakReport) -> None:
    """Print every series, and what fails the run."""
    table = Table("whose", "what", "median", "rise", "")
    for result in soak.series:
        style = "bold red" if result.drifts else ""
        verdict = "DRIFTS" if result.drifts else "flat"
        table.add_row(result.whose, result.what, f"{result.middle:,.1f}", f"{result.rise:+,.1f}", verdict, style=style)
    console.print(table)
    turned_away = sum(soak.refused.values())
    console.print(
        f"{soak.right:,} right answers at {soak.rate:.0f} a second, {turned_away} refused, {soak.wrong} wrong, "
        f"{soak.failed} not answered, {soak.records:,} records in {soak.seconds:.0f} s"
    )
    for fault in soak.faults:
        console.print(Text(fault, style="bold red"))
    console.print("failed" if soak.faults else "nothing drifts")


def _series(outcomes: Sequence[Outcome], samples: Sequence[Sample]) -> dict[Series, list[float]]:
    series = {key: [sample.values[key] for sample in samples] for key in samples[0].values}
    series[CALLS, MIDDLE] = [outcome.quantile(0.5) for outcome in outcomes]
    series[CALLS, TAIL] = [outcome.quantile(0.99) for outcome in outcomes]
    grown = [later.records - earlier.records for earlier, later in pairwise(samples)]
    sizes = [size / max(outcome.sent, 1) for size, outcome in zip(grown, outcomes[1:], strict=True)]
    series[RECORDS, PER_CALL] = [sizes[0], *sizes]
    return series


def _series_result(
    whose: str, quantity: str, times: Sequence[float], values: Sequence[float], warm_up: float
) -> SeriesResult:
    points = [
        (time, value) for time, value in zip(times, values, strict=True) if time > warm_up and not math.isnan(value)
    ]
    course = trend([time for time, _ in points], [value for _, value in points], ALLOWANCES[quantity])
    return SeriesResult(
        whose=whose,
        what=quantity,
        values=tuple(None if math.isnan(value) else value for value in values),
        middle=course.middle,
        rise=course.rise,
        share=None if math.isinf(course.share) else course.share,
        drifts=course.drifts,
    )


def _wrongs(outcomes: Sequence[Outcome], refused: Mapping[str, int], records: int) -> Iterator[str]:
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.faults)
    for fault, count in faults.items():
        yield f"calls: {count} answered wrongly or not at all, {fault}"
    calls = sum(outcome.sent for outcome in outcomes)
    if sum(refused.values()) > calls * MOST_REFUSED:
        listed = ", ".join(f"{count} {reason}" for reason, count in refused.items())
        yield f"calls: of {calls} more than {MOST_REFUSED:.0%} were refused, {listed}"
    answered = sum(outcome.right for outcome in outcomes)
    if records < answered:
        yield f"records: {records} were written for {answered} decisions"


def _picture(soak: SoakReport) -> Figure:
    figure = Figure(figsize=(11, 7), layout="constrained")
    quantities = (MEMORY, DESCRIPTORS, THREADS, KEYS, TAIL, PER_CALL)
    for axes, quantity in zip(figure.subplots(2, 3, sharex=True).flat, quantities, strict=True):
        _lines(axes, soak, quantity)
    figure.supxlabel("minutes")
    return figure


def _lines(axes: Axes, soak: SoakReport, quantity: str) -> None:
    for result in (result for result in soak.series if result.what == quantity):
        values = [math.nan if value is None else value for value in result.values]
        label = f"{result.whose}{' drifts' if result.drifts else ''}"
        axes.plot([time / 60 for time in soak.times], values, linewidth=2.2 if result.drifts else 1.2, label=label)
    axes.axvspan(0, soak.warm_up / 60, color="#E2E2E2", linewidth=0)
    axes.set_title(quantity, loc="left", fontsize=10)
    axes.set_ylim(bottom=0)
    if axes.lines:
        axes.legend(frameon=False, fontsize=7)
