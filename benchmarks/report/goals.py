"""The goals of the design against a run: met, missed, or not measured and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measure.results import (
    BOUND,
    COMPILED,
    EQUAL,
    EQUAL_COMPILED,
    LIMITED,
    MIX_COLD,
    MIX_HOT,
    MIX_NEW,
    MIX_TWO,
    NAIVE,
    PEER,
    SIDECAR_COMPILED,
    Contender,
    Mix,
    Point,
    Results,
)

TIMES_PEER = 1.5
TIMES_NAIVE = 5.0
TIMES_EQUAL = 1.5
TIMES_SOURCES = 0.85
TIMES_COMPILED = 1.0
TIMES_SIDECAR = 1.5
LEAST_OF_TWO_CALLS = 0.85
_MIXES = (MIX_COLD, MIX_NEW, MIX_HOT)
BUSY_SHARE = 0.85
CALM_SHARE = 0.25
MOST_ADDED_MS = 3.0
MOST_REFUSAL = 1 / 3
MOST_OPA_MIB = 400
LARGEST = "10,000 policies"
LEAST_SCALE = 1.8
MOST_NAMED = 6
MOST_P99_MS = 20.0
MOST_P99_TO_P50 = 4.0
OVERLOAD_SHARE = 1.5
LEAST_GOODPUT = 0.95
MOST_EVIDENCE = 0.25
EVIDENCE = ("span", "metrics", "record")
MOST_FLAT = 1.3
MOST_IDLE = 0.01
MOST_BOUND = 1.0
MOST_WORST = 20.0
MOST_LIMITED = 1.5
REFUSED_FOR_LOAD = frozenset({"OVERLOADED"})


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal. `met` is None when it could not be measured; `why` then says why, else how it was measured."""

    number: int
    text: str
    measured: str
    met: bool | None
    why: str


def goals(results: Results) -> list[Goal]:
    """Every goal, in order; those of load and CPU for the contender that is Aegis as delivered."""
    return [
        _times(results, 1, TIMES_PEER, results.default, PEER),
        _times(results, 2, TIMES_NAIVE, results.default, NAIVE),
        *_busy(results),
        _added(results),
        *_overload(results),
        _refusals(results),
        _evidence(results),
        *_flat(results),
        _memory(results),
        _idle(results),
        _bound(results),
        _limited(results),
        _times(results, 9, TIMES_EQUAL, EQUAL, PEER),
        _times(results, 9, TIMES_EQUAL, EQUAL_COMPILED, PEER),
        _times(results, 9, TIMES_SOURCES, results.default, PEER),
        _times(results, 9, TIMES_COMPILED, COMPILED, PEER),
        _worst(results),
        *mix_goals(results.mix),
        _scale(results),
    ]


def without(part: str) -> str:
    """The name of the contender that is Aegis with this part off."""
    return f"Aegis without {part}"


def _times(results: Results, number: int, least: float, name: str, rival: str) -> Goal:
    whose = "" if name == results.default else f"{name}: "
    text = f"{whose}decisions for a second of CPU, at least {least:g}x {rival}"
    mine, theirs = results.contender(name), results.contender(rival)
    if mine is None or theirs is None or not mine.total:
        return _unmeasured(number, text, f"{name if mine is None else rival} took no part")
    ratio = theirs.total / mine.total
    why = f"{mine.total:.0f} µs against {theirs.total:.0f} µs; authz, OPA and Redis together"
    slowest = results.least_ratio(name) if rival == PEER else None
    if slowest is not None:
        why += f"; in the slowest of {len(results.repeats) + 1} runs {slowest:.2f}x"
    return Goal(number, text, f"{ratio:.2f}x", ratio >= least, why)


def _busy(results: Results) -> list[Goal]:
    texts = (
        f"p99 at most {MOST_P99_MS:g} ms at {BUSY_SHARE:.0%} of the ceiling",
        f"p99 at most {MOST_P99_TO_P50:g}x p50 at {BUSY_SHARE:.0%} of the ceiling",
        f"p99 at {BUSY_SHARE:.0%} of the ceiling at most that of {PEER} at the same rate",
    )
    point = _point(results, BUSY_SHARE)
    if point is None or point.p50_ms is None or point.p99_ms is None:
        return [_unmeasured(3, text, f"no open loop at {BUSY_SHARE:.0%}") for text in texts]
    times = point.p99_ms / point.p50_ms
    why = f"{point.offered:.0f} calls a second, p50 {point.p50_ms:.1f} ms, p99 {point.p99_ms:.1f} ms"
    return [
        Goal(3, texts[0], f"{point.p99_ms:.1f} ms", point.p99_ms <= MOST_P99_MS, why),
        Goal(3, texts[1], f"{times:.1f}x", times <= MOST_P99_TO_P50, why),
        _beside_peer(results, texts[2], point),
    ]


def _beside_peer(results: Results, text: str, point: Point) -> Goal:
    peer = results.contender(PEER)
    rival = next((entry for entry in peer.open if entry.offered == point.offered), None) if peer else None
    if rival is None or rival.p99_ms is None or point.p99_ms is None:
        return _unmeasured(3, text, f"{PEER} took no part at that rate")
    why = f"{point.offered:.0f} calls a second, p99 {point.p99_ms:.1f} ms against {rival.p99_ms:.1f} ms"
    return Goal(3, text, f"{point.p99_ms / rival.p99_ms:.1f}x", point.p99_ms <= rival.p99_ms, why)


def _overload(results: Results) -> list[Goal]:
    share = f"{OVERLOAD_SHARE:.0%} offered"
    texts = (
        f"{share}: goodput at least {LEAST_GOODPUT:g}x of the ceiling",
        f"{share}: every other call refused for load, none left unanswered",
        f"{share}: not one wrong answer",
    )
    mine, point = results.contender(results.default), _point(results, OVERLOAD_SHARE)
    if mine is None or point is None:
        return [_unmeasured(3, text, f"no open loop at {OVERLOAD_SHARE:.0%}") for text in texts]
    goodput, answers = point.rate / mine.rate, point.answers
    otherwise = {reason: count for reason, count in answers.refused.items() if reason not in REFUSED_FOR_LOAD}
    if answers.failed:
        otherwise["no answer"] = answers.failed
    refused = sum(count for reason, count in answers.refused.items() if reason in REFUSED_FOR_LOAD)
    listed = ", ".join(f"{count} {reason}" for reason, count in otherwise.items())
    return [
        Goal(3, texts[0], f"{goodput:.2f}x", goodput >= LEAST_GOODPUT, f"{point.rate:.0f} of {mine.rate:.0f} a second"),
        Goal(3, texts[1], listed or f"{refused} OVERLOADED", not otherwise, f"{refused} refused as OVERLOADED"),
        Goal(3, texts[2], str(answers.wrong), not answers.wrong, f"{answers.right} right answers"),
    ]


def _added(results: Results) -> Goal:
    text = f"p50 at most {MOST_ADDED_MS:g} ms over Envoy alone at {CALM_SHARE:.0%} of the ceiling"
    point = _point(results, CALM_SHARE)
    added = point.added["p50_ms"] if point is not None and point.added is not None else None
    if point is None or added is None:
        return _unmeasured(3, text, f"no open loop at {CALM_SHARE:.0%} beside that of Envoy alone")
    return Goal(3, text, f"{added:.1f} ms", added <= MOST_ADDED_MS, f"{point.offered:.0f} calls a second")


def _refusals(results: Results) -> Goal:
    text = f"{OVERLOAD_SHARE:.0%} offered: to refuse a call costs at most a third of deciding it"
    mine, point = results.contender(results.default), _point(results, OVERLOAD_SHARE)
    if mine is None or point is None or point.cpu_seconds is None or not point.answers.turned_away:
        return _unmeasured(3, text, "nothing was refused, or what that cost was not measured")
    cost = (point.cpu_seconds * 1e6 - point.answers.right * mine.total) / point.answers.turned_away
    if cost <= 0:  # the decisions beside them cost less than in the closed loop: the difference tells nothing
        return _unmeasured(3, text, f"within the spread of the rounds: {cost:.0f} µs against {mine.total:.0f} µs")
    why = f"{cost:.0f} µs against {mine.total:.0f} µs: what {point.answers.turned_away} refusals left over"
    return Goal(3, text, f"{cost / mine.total:.2f}x", cost <= MOST_REFUSAL * mine.total, why)


def _memory(results: Results) -> Goal:
    text = f"OPA takes at most {MOST_OPA_MIB} MiB with {LARGEST}"
    mib = None if results.flat is None else results.flat.opa_mib.get(LARGEST)
    if mib is None:
        return _unmeasured(5, text, "`python -m benchmarks.flat` has not run")
    return Goal(5, text, f"{mib:.0f} MiB", mib <= MOST_OPA_MIB, "resident, after the load")


def _scale(results: Results) -> Goal:
    text = f"two authorizers decide at least {LEAST_SCALE:g}x as many calls as one"
    scale = results.scale
    if scale is None:
        return _unmeasured(12, text, "`make bench-scale` has not run; it needs root")
    why = f"each with {scale.share:.0%} of a core; {len(scale.one)} rounds of {scale.seconds:g} s"
    return Goal(12, text, f"{scale.factor:.2f}x", scale.factor >= LEAST_SCALE, why)


def _evidence(results: Results) -> Goal:
    text = f"spans, metrics and records together at most {MOST_EVIDENCE:.0%} of a decision's CPU"
    mine = results.contender(results.default)
    lighter = {part: results.contender(without(part)) for part in EVIDENCE}
    missing = [without(part) for part, contender in lighter.items() if contender is None]
    if mine is None or missing:
        return _unmeasured(4, text, f"{', '.join(missing) or results.default} took no part")
    saved = {part: mine.total - contender.total for part, contender in lighter.items() if contender is not None}
    share = sum(saved.values()) / mine.total
    parts = ", ".join(f"{part} {spent:.0f} µs" for part, spent in saved.items())
    if min(saved.values()) <= 0:  # nobody spends less than nothing: the rounds differ by more than what is sought
        return _unmeasured(4, text, f"within the spread of the rounds: {parts}")
    return Goal(4, text, f"{share:.0%}", share <= MOST_EVIDENCE, f"by turning each off: {parts}")


def _flat(results: Results) -> list[Goal]:
    flat = results.flat
    if flat is None:
        return [_unmeasured(5, f"flat within {MOST_FLAT:g}x", "`python -m benchmarks.flat` has not run")]
    memory = ", ".join(f"{size} {mib:.0f} MiB" for size, mib in flat.opa_mib.items())
    return [
        _steady("policies", flat.policies, f"OPA's memory: {memory}"),
        _steady("agents", flat.agents, f"OPA's memory: {memory}"),
    ]


def _steady(noun: str, cost: Mapping[int, float], memory: str) -> Goal:
    if len(cost) < 2:
        return _unmeasured(5, f"flat within {MOST_FLAT:g}x in the number of {noun}", "fewer than two sizes were run")
    text = f"flat within {MOST_FLAT:g}x from {min(cost):,} to {max(cost):,} {noun}"
    times = max(cost.values()) / min(cost.values())
    listed = ", ".join(f"{size:,}: {spent:.0f} µs" for size, spent in sorted(cost.items()))
    return Goal(5, text, f"{times:.2f}x", times <= MOST_FLAT, f"{listed}; {memory}")


def _idle(results: Results) -> Goal:
    text = f"an idle mesh uses less than {MOST_IDLE:.0%} of a core"
    idle = results.idle
    if idle is None:
        return _unmeasured(6, text, "`python -m benchmarks.idle` has not run")
    total = sum(idle.cores.values())
    parts = ", ".join(f"{part} {share:.2%}" for part, share in idle.cores.items())
    return Goal(6, text, f"{total:.2%}", total < MOST_IDLE, f"{parts}; over {idle.seconds:.0f} s")


def _worst(results: Results) -> Goal:
    text = f"no input costs a reader, detector or condition more than {MOST_WORST:g}x plain JSON of its length"
    worst = results.worst
    if worst is None or not worst.inputs:
        return _unmeasured(10, text, "`python -m benchmarks.worst` has not run")
    dearest = sorted(worst.dearest.items(), key=lambda pair: pair[1].most, reverse=True)
    beyond = [f"{kind} {name} {entry.most:.0f}x" for (kind, name), entry in dearest if entry.most > MOST_WORST]
    more = f" and {len(beyond) - MOST_NAMED} more" if len(beyond) > MOST_NAMED else ""
    listed = f"{len(beyond)} of {len(dearest)} beyond: {', '.join(beyond[:MOST_NAMED])}{more}"
    why = listed if beyond else f"{len(dearest)} of them"
    return Goal(10, text, f"{dearest[0][1].most:.1f}x", not beyond, why)


def _bound(results: Results) -> Goal:
    text = "a bound token with its proof costs the authorizer no more CPU than a token for each call"
    mine, bound = results.contender(results.default), results.contender(BOUND)
    if mine is None or bound is None:
        return _unmeasured(7, text, f"{results.default if mine is None else BOUND} took no part")
    spent, proven = mine.cpu_us_per_decision["authz"], bound.cpu_us_per_decision["authz"]
    times = proven / spent
    return Goal(7, text, f"{times:.2f}x", times <= MOST_BOUND, f"{proven:.0f} µs against {spent:.0f} µs")


def _limited(results: Results) -> Goal:
    text = f"settling a call with a rate, a budget and a count costs at most {MOST_LIMITED:g}x of settling one without"
    names = (results.default, without("settle"), LIMITED)
    mine, bare, limited = (results.contender(name) for name in names)
    if mine is None or bare is None or limited is None or mine.total <= bare.total:
        return _unmeasured(8, text, f"needs {', '.join(names)}, and a settle that costs anything")
    settle, charged = mine.total - bare.total, limited.total - bare.total
    why = f"{charged:.0f} µs against {settle:.0f} µs; the evidence of what was charged included"
    return Goal(8, text, f"{charged / settle:.2f}x", charged <= MOST_LIMITED * settle, why)


def _point(results: Results, share: float) -> Point | None:
    mine: Contender | None = results.contender(results.default)
    return mine.at(share) if mine else None


def mix_goals(mix: Mix | None) -> list[Goal]:
    """What is to hold for the mix, whatever caches can know of it; None where it has not run."""
    return [goal for state in _MIXES for goal in (_mix_sidecar(mix, state), _mix_steady(mix, state))]


def _mix_sidecar(mix: Mix | None, state: str) -> Goal:
    text = f"mix, {state}: {SIDECAR_COMPILED}: decisions for a second of CPU, at least {TIMES_SIDECAR:g}x {PEER}"
    times = None if mix is None else mix.times_peer(SIDECAR_COMPILED, state)
    if mix is None or times is None:
        why = "`make bench-mix` has not run" if mix is None else f"{SIDECAR_COMPILED} or {PEER} took no part"
        return _unmeasured(11, text, why)
    own, peers = mix.costs[SIDECAR_COMPILED][state], mix.costs[PEER][state]
    return Goal(11, text, f"{times:.2f}x", times >= TIMES_SIDECAR, f"{own:.0f} µs against {peers:.0f} µs")


def _mix_steady(mix: Mix | None, state: str) -> Goal:
    """The worst of all: how much of its multiple of the peer on the two calls is left on the mix."""
    text = f"mix, {state}: what is reached against {PEER} on the two calls holds within {1 - LEAST_OF_TWO_CALLS:.0%}"
    if mix is None:
        return _unmeasured(11, text, "`make bench-mix` has not run")
    shares: dict[str, float] = {}
    for name in mix.costs:
        times, of_two = mix.times_peer(name, state), mix.times_peer(name, MIX_TWO)
        if name != PEER and times and of_two:
            shares[name] = times / of_two
    if not shares:
        return _unmeasured(11, text, f"{PEER} or everybody else took no part")
    listed = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    least = min(shares.values())
    return Goal(11, text, f"{least:.2f} of it", least >= LEAST_OF_TWO_CALLS, listed)


def _unmeasured(number: int, text: str, why: str) -> Goal:
    return Goal(number, text, "not measured", None, why)
