from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aegis_authz.load.outcome import Outcome
from aegis_authz.load.vegeta import Plan
from benchmarks.measure import figures
from benchmarks.measure.results import FLOOR, PEER
from benchmarks.measure.rounds import TAIL, ClosedRound, Entrant, Rounds, Target, part_seconds, targets_of
from benchmarks.measure.run import LineUp, Wish, play

PLAN = Plan(None, 2.0, 48)


@dataclass(frozen=True)
class Somebody:
    name: str
    url: str = "http://127.0.0.1:1"
    pids: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"authz": (os.getpid(),)})
    judges: bool = True
    proves: bool = False
    agent: str = "bot"


def outcome(right: int, seconds: float = 1.0, offered: float | None = None, at: float = 0.01, **more: int) -> Outcome:
    sent = right + sum(more.values())
    refused = {"OVERLOADED": more["refused"]} if "refused" in more else {}
    wrong, failed = more.get("wrong", 0), more.get("failed", 0)
    return Outcome(offered, seconds, sent, right, refused, wrong, failed, {}, (at,) * right)


class Diary:
    """Takes every load, answers 1,000 calls a second rightly, and remembers the order of things."""

    def __init__(self) -> None:
        self.happened: list[tuple[str, ...]] = []
        self.plans: list[tuple[str, Plan]] = []
        self.prepared: list[int] = []
        self.right_a_second = 1000
        self._cpu = 0.0
        self._last = ""

    async def prepare(self, contender: Entrant, count: int) -> Path:
        self._last = contender.name
        self.prepared.append(count)
        self.happened.append(("prepare", contender.name))
        return Path(contender.name)

    async def send(self, calls: Path, plan: Plan) -> Outcome:
        self.happened.append(("send", str(calls)))
        self.plans.append((str(calls), plan))
        self._cpu += 0.5
        return outcome(round(self.right_a_second * plan.seconds), plan.seconds, plan.rate)

    async def pause(self, seconds: float) -> None:
        self.happened.append(("pause", str(seconds)))
        self._cpu += 0.1

    def cpu(self, pids: Mapping[str, tuple[int, ...]]) -> Mapping[str, float]:
        self.happened.append(("cpu",))
        return dict.fromkeys(pids, self._cpu)

    def rounds(self) -> Rounds:
        return Rounds(self, lambda line: None, self.cpu, self.pause)

    def order(self) -> list[str]:
        return [name for name, _ in self.plans]


@pytest.fixture
def diary() -> Diary:
    return Diary()


async def test_rounds_go_over_everyone_and_every_other_one_backwards(diary: Diary) -> None:
    await diary.rounds().closed([Somebody(name) for name in "abc"], 2, PLAN)
    assert diary.order() == [*"abc", *"cba", *"abc"]


async def test_the_warm_up_is_not_counted(diary: Diary) -> None:
    played = await diary.rounds().closed([Somebody("a")], 3, PLAN)
    assert len(diary.plans) == 4
    assert diary.plans[0][1].seconds == PLAN.seconds / 2
    assert [one.outcome.seconds for one in played["a"]] == [PLAN.seconds] * 3


async def test_making_calls_ready_is_not_measured_and_work_put_off_is(diary: Diary) -> None:
    played = await diary.rounds().closed([Somebody("a")], 1, PLAN)
    assert diary.happened[-5:] == [("prepare", "a"), ("cpu",), ("send", "a"), ("pause", str(TAIL)), ("cpu",)]
    assert played["a"][0].cpu == pytest.approx({"authz": 0.6})


async def test_more_calls_are_ready_than_the_last_round_used(diary: Diary) -> None:
    diary.right_a_second = 9000
    await diary.rounds().closed([Somebody("a")], 2, PLAN)
    assert all(count > 9000 * PLAN.seconds for count in diary.prepared[1:])


async def test_the_open_loop_offers_each_rate_in_every_round(diary: Diary) -> None:
    targets = [Target(Somebody("a"), "a", 0.5, 300.0), Target(Somebody("a"), "a", 0.85, 510.0)]
    played = await diary.rounds().open(targets, 3, PLAN)
    assert [plan.rate for _, plan in diary.plans] == [300, 510, 510, 300, 300, 510]
    assert {key: len(outcomes) for key, outcomes in played.items()} == {("a", "a", 0.5): 3, ("a", "a", 0.85): 3}
    assert min(diary.prepared) >= 600


def test_envoy_alone_plays_at_the_rates_of_the_others() -> None:
    floor, peer = Somebody(FLOOR), Somebody(PEER)
    targets = targets_of(floor, [(peer, 1000.0)], (0.25, 0.85))
    assert [(target.contender.name, target.rate) for target in targets] == [
        (PEER, 250),
        (FLOOR, 250),
        (PEER, 850),
        (FLOOR, 850),
    ]


def test_what_refusals_cost_is_charged_to_the_right_answers() -> None:
    round_ = ClosedRound(outcome(100, refused=900), {"authz": 0.1, "opa": 0.02})
    assert round_.per_decision() == pytest.approx({"authz": 1000, "opa": 200})


def test_cpu_of_a_part_is_that_of_all_its_processes() -> None:
    apart = part_seconds({"this": (os.getpid(),), "its parent": (os.getppid(),)})
    together = part_seconds({"authz": (os.getpid(), os.getppid())})["authz"]
    assert apart["this"] > 0
    assert together >= sum(apart.values())


def test_a_process_that_is_gone_is_an_error_and_not_free_of_charge() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    with pytest.raises(OSError, match="nvalid"):
        part_seconds({"authz": (child,)})


def test_figures_are_medians_with_the_spread_of_the_rounds() -> None:
    closed = [
        ClosedRound(outcome(1000 + extra), {"authz": 0.5 + extra / 1000, "envoy": 0.3, "opa": 0.1})
        for extra in (0, 50, 10)
    ]
    found = figures.contender("a", closed, [], {}, {}, {"authz": 80.0})
    assert found.rate == 1010
    assert found.rate_spread == (1000, 1050)
    assert found.total == pytest.approx((0.51 + 0.1) / 1010 * 1e6)
    assert found.cpu_us_per_decision["envoy"] == pytest.approx(0.3 / 1010 * 1e6)
    assert found.p99_ms == pytest.approx(10)


def test_what_was_added_is_the_latency_less_that_of_envoy_alone_at_the_same_rate() -> None:
    floor, peer = Somebody(FLOOR), Somebody(PEER)
    targets = targets_of(floor, [(peer, 1000.0)], (0.5,))
    played = {targets[0].key: [outcome(100, at=0.012)] * 3, targets[1].key: [outcome(100, at=0.002)] * 3}
    closed = [ClosedRound(outcome(5000), {"authz": 1.0})]
    slow, bare = (figures.contender(name, closed, targets, played, {}, {}).open[0] for name in (PEER, FLOOR))
    assert slow.added == pytest.approx(dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "p999_ms"), 10))
    assert (slow.share, bare.share, bare.added) == (0.5, 0.1, None)


def test_without_a_right_answer_there_is_no_latency() -> None:
    found = figures.contender("a", [ClosedRound(outcome(0, failed=3), {"authz": 0.1})], [], {}, {}, {})
    assert found.p50_ms is None
    assert found.errors == 3


@pytest.fixture
def everyone() -> Iterator[LineUp]:
    names = (FLOOR, "no-op", PEER, "Aegis (http2)")
    yield LineUp([Somebody(name) for name in names], "Aegis (http2)", {"naive Python": "ill"})


async def test_a_run_has_figures_of_everyone_in_order(diary: Diary, everyone: LineUp) -> None:
    results = await play(everyone, Wish(2, 1.0, 8, 10, shares=(0.5,)), diary.rounds(), {"cpu": "a processor"})
    assert [one.name for one in results.contenders] == [one.name for one in everyone.contenders]
    assert results.left_out == {"naive Python": "ill"}
    assert {one.name: [point.share for point in one.open] for one in results.contenders} == {
        FLOOR: [0.5, 0.5],
        "no-op": [],
        PEER: [0.5, 0.5],  # at its own rate, and at that of Aegis
        "Aegis (http2)": [0.5, 1.5],
    }


async def test_only_aegis_is_offered_more_than_it_can_do(diary: Diary, everyone: LineUp) -> None:
    await play(everyone, Wish(1, 1.0, 8, 10), diary.rounds(), {})
    assert {name for name, plan in diary.plans if plan.rate and plan.rate > 1000} == {"Aegis (http2)"}
