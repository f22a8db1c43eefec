"""From the rounds that were played to the figures of a run: medians, spreads, and what was added to Envoy alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from aegis_authz.load.outcome import Outcome
from benchmarks.measure.results import DECIDING, FLOOR, QUANTILES, Answers, Contender, Milliseconds, Point, Spread
from benchmarks.measure.rounds import ClosedRound, Target

Key = tuple[str, str, float]
"""Of a `Target`."""


def contender(
    name: str,
    closed: Sequence[ClosedRound],
    targets: Sequence[Target],
    played: Mapping[Key, Sequence[Outcome]],
    spent: Mapping[Key, Sequence[float]],
    resident_mib: Mapping[str, float],
) -> Contender:
    """All figures of the contender of this name; `resident_mib` by part, after the last round. `spent` are CPU seconds
    of the rounds of each target.
    """
    outcomes = [loop.outcome for loop in closed]
    costs = [loop.per_decision() for loop in closed]
    totals = [sum(cost for part, cost in each.items() if part in DECIDING) for each in costs]
    parts = {part: median(each[part] for each in costs) for part in costs[0]}
    rates = [outcome.achieved for outcome in outcomes]
    own = [target for target in targets if target.contender.name == name]
    return Contender(
        name=name,
        cpu_us_per_decision={"total": median(totals), **parts},
        cpu_spread=_spread(totals),
        rate=median(rates),
        rate_spread=_spread(rates),
        **_latencies(outcomes),
        resident_mib=resident_mib,
        answers=_answers(outcomes),
        open=tuple(_point(target, median(rates), played, spent) for target in own),
    )


def _point(
    target: Target, most: float, played: Mapping[Key, Sequence[Outcome]], spent: Mapping[Key, Sequence[float]]
) -> Point:
    outcomes = played[target.key]
    rates = [outcome.achieved for outcome in outcomes]
    times = _latencies(outcomes)
    floor = None if target.contender.name == FLOOR else played.get((FLOOR, target.of, target.share))
    p99s = [time for time in (outcome.quantile(QUANTILES["p99_ms"]) for outcome in outcomes) if not math.isnan(time)]
    return Point(
        # Envoy alone plays at the rates of others; what it says of itself is the share of its own ceiling
        share=target.share if target.of == target.contender.name else target.rate / most,
        offered=target.rate,
        rate=median(rates),
        rate_spread=_spread(rates),
        **times,
        p99_spread=_spread(p99s) if p99s else None,
        added=_added(times, _latencies(floor)) if floor else None,
        answers=_answers(outcomes),
        cpu_seconds=sum(spent[target.key]) if target.key in spent else None,
    )


def _latencies(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Medians of the rounds in milliseconds; None where a round had no right answer."""
    times = {name: median(outcome.quantile(share) for outcome in outcomes) for name, share in QUANTILES.items()}
    return {name: None if math.isnan(time) else time for name, time in times.items()}


def _added(times: Milliseconds, floor: Milliseconds) -> dict[str, float | None]:
    added: dict[str, float | None] = {}
    for name, time in times.items():
        least = floor[name]
        added[name] = None if time is None or least is None else time - least
    return added


def _answers(outcomes: Iterable[Outcome]) -> Answers:
    refused: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    right = wrong = failed = 0
    for outcome in outcomes:
        refused.update(outcome.refused)
        faults.update(outcome.faults)
        right, wrong, failed = right + outcome.right, wrong + outcome.wrong, failed + outcome.failed
    return Answers(right=right, refused=dict(refused), wrong=wrong, failed=failed, faults=dict(faults))


def _spread(values: Sequence[float]) -> Spread:
    return min(values), max(values)
