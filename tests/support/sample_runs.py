"""Runs of the benchmark to judge, without any load."""

from __future__ import annotations

from benchmarks.measure.results import FLOOR, NAIVE, PEER, Answers, Contender, Method, Point, Results

DEFAULT = "Aegis (http2)"


def answers(right: int = 1000, refused: dict[str, int] | None = None, wrong: int = 0, failed: int = 0) -> Answers:
    """What became of the calls of a load."""
    faults = {"HTTP 200 where 403 was due": wrong} if wrong else {}
    return Answers(right=right, refused=refused or {}, wrong=wrong, failed=failed, faults=faults)


def point(share: float, p50: float = 5.0, p99: float = 15.0, rate: float = 0.0, seen: Answers | None = None) -> Point:
    """A rate of the open loop; the ceiling is 1,000 calls a second."""
    rate = rate or 1000 * share
    return Point(
        share=share,
        offered=1000 * share,
        rate=rate,
        rate_spread=(rate, rate),
        p50_ms=p50,
        p90_ms=p50 * 2,
        p99_ms=p99,
        p999_ms=p99 * 2,
        p99_spread=(p99 * 0.9, p99 * 1.1),
        added={"p50_ms": p50 - 1, "p90_ms": p50 * 2 - 1, "p99_ms": p99 - 1, "p999_ms": p99 * 2 - 1},
        answers=seen or answers(),
    )


def contender(name: str, total: float, *points: Point, seen: Answers | None = None) -> Contender:
    """One that takes `total` microseconds for a decision."""
    parts = {"authz": total * 0.75, "opa": total * 0.25} if total else {}
    return Contender(
        name=name,
        cpu_us_per_decision={"total": total, **parts, "envoy": 250.0},
        cpu_spread=(total * 0.95, total * 1.05),
        rate=1000.0,
        rate_spread=(950.0, 1050.0),
        p50_ms=40.0,
        p90_ms=50.0,
        p99_ms=60.0,
        p999_ms=70.0,
        resident_mib={"authz": 80.0, "envoy": 60.0},
        answers=seen or answers(),
        open=points,
    )


def run(*contenders: Contender) -> Results:
    """A run of these; Aegis as delivered is the one named DEFAULT."""
    return Results(
        machine={"cpu": "a processor", "cores": "2"},
        method=Method(rounds=5, seconds=5, connections=48, policies=1000, load="vegeta", notes=()),
        default=DEFAULT,
        contenders=contenders,
        left_out={},
    )


def good_run() -> Results:
    """Every contender that the goals ask for, and nothing amiss."""
    overload = point(1.5, rate=960, seen=answers(refused={"OVERLOADED": 540}))
    overload = overload.model_copy(update={"cpu_seconds": 0.55})
    return run(
        contender(FLOOR, 0.0, point(0.1, 0.5, 1.0)),
        contender(PEER, 1000.0, point(0.25), point(0.85)),
        contender(NAIVE, 3000.0),
        contender(DEFAULT, 500.0, point(0.25, 4.0), point(0.85), overload),
        contender("Aegis without record", 480.0),
        contender("Aegis without span", 460.0),
        contender("Aegis without metrics", 490.0),
    )
