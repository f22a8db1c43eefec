"""Pictures of a run: latency against load, and CPU by part, each as SVG and PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.measure.results import DECIDING, FLOOR, Contender, Results

LATENCY = "latency-against-load"
CPU = "cpu-by-part"

# Okabe and Ito's palette: told apart by every kind of colour vision, and by lightness in print.
_BLUE, _ORANGE, _GREEN, _RED, _SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"
_GREY, _PALE = "#8A8A8A", "#E2E2E2"
_LINES = ((_BLUE, "o"), (_RED, "s"), (_GREEN, "^"), (_ORANGE, "D"), (_SKY, "v"))
_PARTS = {
    "authz": ("authorizer", _BLUE, "white"),
    "opa": ("OPA", _ORANGE, "black"),
    "redis": ("Redis", _RED, "white"),
    "envoy": ("Envoy in front", _PALE, "black"),
}
_LEAST_LABELLED = 0.05
"""Of the picture's width: a narrower piece has no room for its number."""
_LINE_HEIGHT = 0.055
"""Of a picture's height, what a name beside it takes."""


@dataclass(frozen=True, slots=True)
class _End:
    name: str
    colour: str
    rate: float
    time: float


def draw(results: Results, folder: Path, kinds: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Write the pictures that the run has figures for; returns where. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "svg.hashsalt": "aegis",
        }
    ):
        drawn = {CPU: _cpu(results.contenders)}
        if any(_below_ceiling(contender) for contender in results.contenders):
            drawn[LATENCY] = _latency(results.contenders)
        return [_save(figure, folder / f"{name}.{kind}") for name, figure in drawn.items() for kind in kinds]


def _save(figure: Figure, path: Path) -> Path:
    # without the date, equal figures give equal files
    figure.savefig(path, dpi=144, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def _cpu(contenders: Sequence[Contender]) -> Figure:
    figure = Figure(figsize=(10, 0.9 + 0.42 * len(contenders)), layout="constrained")
    axes = figure.subplots()
    most = max(sum(_pieces(contender).values()) for contender in contenders)
    for row, contender in enumerate(contenders):
        _bar(axes, row, contender, most)
    axes.set_yticks(range(len(contenders)), [contender.name for contender in contenders])
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.04)
    axes.set_xlabel("microseconds of CPU for one decision")
    axes.set_title("CPU by part. In bold what counts as a decision: all but the Envoy in front")
    axes.tick_params(axis="y", length=0)
    handles = [Patch(color=colour, label=label) for label, colour, _ in _PARTS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _bar(axes: Axes, row: int, contender: Contender, most: float) -> None:
    left = 0.0
    for part, spent in _pieces(contender).items():
        _, colour, ink = _PARTS[part]
        axes.barh(row, spent, left=left, color=colour, height=0.66)
        if spent >= most * _LEAST_LABELLED:
            axes.text(left + spent / 2, row, f"{spent:.0f}", color=ink, ha="center", va="center", fontsize=9)
        left += spent
    if contender.total:
        axes.text(left + most * 0.008, row, f"{contender.total:.0f}", va="center", fontsize=10, fontweight="bold")


def _pieces(contender: Contender) -> dict[str, float]:
    return {
        part: contender.cpu_us_per_decision[part]
        for part in (*DECIDING, "envoy")
        if part in contender.cpu_us_per_decision
    }


def _latency(contenders: Sequence[Contender]) -> Figure:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, sharex=True)
    players = [contender for contender in contenders if _below_ceiling(contender)]
    _lines(left, "median", "p50_ms", players)
    ends = _lines(right, "99th percentile", "p99_ms", players)
    left.set_yscale("log")
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())
    left.set_ylabel("milliseconds from when the call was due")
    left.set_xlim(left=0)
    _label(right, ends)
    figure.supxlabel("calls a second offered", fontsize=10)
    return figure


def _lines(axes: Axes, title: str, quantile: str, contenders: Sequence[Contender]) -> list[_End]:
    """Draws them all; returns where they end."""
    axes.set_title(title)
    axes.grid(axis="y", which="both", color=_PALE, linewidth=0.6)
    looks = cycle(_LINES)
    ends = []
    for contender in contenders:
        colour, marker = (_GREY, ".") if contender.name == FLOOR else next(looks)
        points = _below_ceiling(contender, quantile)
        rates, times = [rate for rate, _ in points], [time for _, time in points]
        axes.plot(rates, times, color=colour, marker=marker, markersize=4.5, linewidth=1.6)
        ends.append(_End(contender.name, colour, rates[-1], times[-1]))
    return ends


def _label(axes: Axes, ends: Sequence[_End]) -> None:
    """Names beside the picture at the height where their lines end, moved up where two would meet."""
    low, high = (math.log(limit) for limit in axes.get_ylim())
    above = -1.0
    for end in sorted(ends, key=lambda end: end.time):
        above = max((math.log(end.time) - low) / (high - low), above + _LINE_HEIGHT)
        axes.annotate(
            end.name,
            (end.rate, end.time),
            xytext=(1.06, above),
            textcoords="axes fraction",
            color=end.colour,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.colour, "linewidth": 0.6, "shrinkB": 4, "relpos": (0, 0.5)},
        )


def _below_ceiling(contender: Contender, quantile: str = "p50_ms") -> list[tuple[float, float]]:
    """Offered rate and latency, ascending. Beyond the ceiling calls are refused, and latency is not the question."""
    times = sorted((point.offered, getattr(point, quantile)) for point in contender.open if point.share < 1)
    return [(rate, time) for rate, time in times if time is not None]
