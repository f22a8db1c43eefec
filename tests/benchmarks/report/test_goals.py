from __future__ import annotations

import pytest

from benchmarks.measure.results import (
    BOUND,
    COMPILED,
    EQUAL,
    LIMITED,
    NAIVE,
    PEER,
    DearInput,
    Flat,
    Idle,
    Results,
    Scale,
    Worst,
)
from benchmarks.report.goals import Goal, goals
from tests.support.sample_runs import DEFAULT, answers, contender, point, run


def named(found: list[Goal], words: str) -> Goal:
    return next(goal for goal in found if words in goal.text)


def test_a_run_that_meets_them_says_so(good_run: Results) -> None:
    found = goals(good_run)
    assert [goal.number for goal in found] == [1, 2, *[3] * 8, 4, 5, 5, 6, 7, 8, *[9] * 4, 10, *[11] * 6, 12]
    assert [goal.met for goal in found if goal.number < 5] == [True] * 11


@pytest.mark.parametrize(("peers", "met"), [(15.0, True), (14.9, False)])
def test_the_tail_is_held_against_the_peers_at_the_same_rate(peers: float, met: bool) -> None:
    rival = contender(PEER, 500.0, point(0.5, 5.0, 1.0), point(0.85, 5.0, peers))
    goal = named(goals(run(rival, contender(DEFAULT, 500.0, point(0.85, 5.0, 15.0)))), "at the same rate")
    assert goal.met is met


@pytest.mark.parametrize(("spent", "met", "times"), [(1.03, True, "0.19x"), (1.1, False, "0.62x")])
def test_refusals_are_charged_what_the_right_answers_leave_over(spent: float, met: bool, times: str) -> None:
    seen = answers(right=2000, refused={"OVERLOADED": 300, "STORE_TIMEOUT": 20})
    overload = point(1.5, seen=seen).model_copy(update={"cpu_seconds": spent})
    goal = named(goals(run(contender(DEFAULT, 500.0, overload))), "to refuse a call")
    assert (goal.met, goal.measured) == (met, times)


def test_refusals_that_seem_to_cost_less_than_nothing_are_not_measured() -> None:
    seen = answers(right=2000, refused={"OVERLOADED": 300})
    overload = point(1.5, seen=seen).model_copy(update={"cpu_seconds": 0.9})
    goal = named(goals(run(contender(DEFAULT, 500.0, overload))), "to refuse a call")
    assert goal.met is None
    assert "within the spread" in goal.why


def test_two_authorizers_and_the_memory_of_opa_have_goals() -> None:
    scale = Scale(share=0.2, seconds=8.0, one=(100.0,), two=(179.0,))
    flat = Flat(policies={}, agents={}, opa_mib={"10,000 policies": 400.0})
    found = goals(run(contender(DEFAULT, 500.0)).model_copy(update={"scale": scale, "flat": flat}))
    assert [named(found, words).met for words in ("two authorizers", "OPA takes")] == [False, True]


def test_a_peer_that_was_not_asked_at_that_rate_leaves_its_tail_unmeasured() -> None:
    found = goals(run(contender(PEER, 500.0, point(0.5)), contender(DEFAULT, 500.0, point(0.85))))
    assert named(found, "at the same rate").met is None


@pytest.mark.parametrize(("mine", "met"), [(666.0, True), (667.0, False)])
def test_the_first_goal_is_half_as_much_again_as_the_peer(mine: float, met: bool) -> None:
    goal = named(goals(run(contender(PEER, 1000.0), contender(DEFAULT, mine))), PEER)
    assert (goal.number, goal.met, goal.measured) == (1, met, "1.50x")


@pytest.mark.parametrize(("mine", "met"), [(600.0, True), (601.0, False)])
def test_the_second_goal_is_five_times_naive_python(mine: float, met: bool) -> None:
    assert named(goals(run(contender(NAIVE, 3000.0), contender(DEFAULT, mine))), NAIVE).met is met


def test_without_the_peer_the_first_goal_is_not_measured_rather_than_met() -> None:
    goal = goals(run(contender(DEFAULT, 500.0)))[0]
    assert goal.met is None
    assert PEER in goal.why


@pytest.mark.parametrize(
    ("p50", "p99", "absolute", "relative"),
    [(5.0, 20.0, True, True), (5.1, 20.4, False, True), (2.0, 9.0, True, False)],
)
def test_latency_near_the_ceiling_is_bounded_in_milliseconds_and_against_the_median(
    p50: float, p99: float, absolute: bool, relative: bool
) -> None:
    found = goals(run(contender(DEFAULT, 500.0, point(0.85, p50, p99))))
    assert named(found, "p99 at most 20 ms").met is absolute
    assert named(found, "p99 at most 4x").met is relative


def test_an_overloaded_server_must_keep_nine_tenths_of_its_ceiling() -> None:
    assert named(goals(run(contender(DEFAULT, 500.0, point(1.5, rate=899)))), "goodput").met is False


@pytest.mark.parametrize("reason", ["HTTP 503 without a decision", "PDP_TIMEOUT"])
def test_an_overloaded_server_must_refuse_for_load_and_for_nothing_else(reason: str) -> None:
    seen = answers(refused={"OVERLOADED": 500, reason: 3})
    goal = named(goals(run(contender(DEFAULT, 500.0, point(1.5, seen=seen)))), "refused for load")
    assert goal.met is False
    assert f"3 {reason}" in goal.measured


def test_a_call_that_is_never_answered_is_no_refusal() -> None:
    found = goals(run(contender(DEFAULT, 500.0, point(1.5, seen=answers(failed=1)))))
    assert named(found, "refused for load").met is False


def test_one_wrong_answer_under_overload_misses_the_goal() -> None:
    found = goals(run(contender(DEFAULT, 500.0, point(1.5, seen=answers(wrong=1)))))
    assert named(found, "not one wrong answer").met is False


def test_evidence_is_what_turning_its_parts_off_saves() -> None:
    lighter = [contender(f"Aegis without {part}", 400.0) for part in ("record", "span", "metrics")]
    goal = named(goals(run(contender(DEFAULT, 500.0), *lighter)), "records together")
    assert (goal.measured, goal.met) == ("60%", False)
    assert "record 100 µs" in goal.why


def test_evidence_is_not_measured_when_a_part_seems_to_cost_less_than_nothing() -> None:
    lighter = [
        contender(f"Aegis without {part}", spent) for part, spent in (("record", 400), ("span", 520), ("metrics", 490))
    ]
    goal = named(goals(run(contender(DEFAULT, 500.0), *lighter)), "records together")
    assert goal.met is None
    assert "span -20 µs" in goal.why


def test_evidence_is_not_measured_when_one_part_was_never_off(good_run: Results) -> None:
    lacking = tuple(one for one in good_run.contenders if one.name != "Aegis without span")
    goal = named(goals(good_run.model_copy(update={"contenders": lacking})), "records together")
    assert goal.met is None
    assert "Aegis without span" in goal.why


def test_flat_is_the_dearest_size_against_the_cheapest(good_run: Results) -> None:
    flat = Flat(policies={10: 400, 1000: 410, 10000: 521}, agents={1: 400, 10000: 520}, opa_mib={"10000 policies": 90})
    found = goals(good_run.model_copy(update={"flat": flat}))
    assert named(found, "10,000 policies").met is False
    assert named(found, "10,000 agents").met is True
    assert "90 MiB" in named(found, "10,000 agents").why


@pytest.mark.parametrize(("opa", "met"), [(0.004, True), (0.006, False)])
def test_idle_counts_every_process(good_run: Results, opa: float, met: bool) -> None:
    idle = Idle(cores={"authz": 0.004, "opa": opa}, seconds=30)
    assert named(goals(good_run.model_copy(update={"idle": idle})), "idle mesh").met is met


def dear(subject: str, times: float, times_wire: float) -> DearInput:
    facts = {"kind": "body", "subject": subject, "shape": "names", "size": 1024, "wire": 1024, "taken": True}
    return DearInput(**facts, microseconds=1.0, plain=1.0, times=times, times_wire=times_wire)


@pytest.mark.parametrize(
    ("times", "times_wire", "met", "measured"),
    [(20.0, 20.0, True, "20.0x"), (20.1, 1.0, False, "20.1x"), (1.0, 21.0, False, "21.0x")],
)
def test_no_reader_may_cost_more_than_twenty_times_plain_json(
    good_run: Results, times: float, times_wire: float, met: bool, measured: str
) -> None:
    worst = Worst(machine={}, inputs=(dear("form", 2.0, 2.0), dear("json", 1.0, 1.0), dear("json", times, times_wire)))
    goal = named(goals(good_run.model_copy(update={"worst": worst})), "plain JSON")
    assert (goal.number, goal.met, goal.measured) == (10, met, measured)
    assert ("body json" in goal.why) is not met


@pytest.mark.parametrize(("proven", "met"), [(500.0, True), (510.0, False)])
def test_a_bound_token_may_cost_the_authorizer_what_a_token_for_each_call_does(proven: float, met: bool) -> None:
    goal = named(goals(run(contender(DEFAULT, 500.0), contender(BOUND, proven))), "bound token")
    assert (goal.number, goal.met) == (7, met)


@pytest.mark.parametrize(("limited", "met", "times"), [(650.0, True, "1.50x"), (651.0, False, "1.51x")])
def test_limits_may_cost_half_as_much_again_as_the_settle_without_them(limited: float, met: bool, times: str) -> None:
    bare = contender("Aegis without settle", 500.0)
    goal = named(
        goals(run(contender(DEFAULT, 600.0), contender(LIMITED, limited), bare)), "a rate, a budget and a count"
    )
    assert (goal.number, goal.met, goal.measured) == (8, met, times)


@pytest.mark.parametrize("bare", [600.0, 601.0])
def test_a_settle_that_cannot_be_told_from_nothing_has_no_ratio(bare: float) -> None:
    found = goals(run(contender(DEFAULT, 600.0), contender(LIMITED, 650.0), contender("Aegis without settle", bare)))
    assert named(found, "a rate, a budget and a count").met is None


def test_without_the_bound_token_its_goal_is_not_measured() -> None:
    assert named(goals(run(contender(DEFAULT, 500.0))), "bound token").met is None


@pytest.mark.parametrize(
    ("name", "mine", "met"),
    [(EQUAL, 666.0, True), (EQUAL, 667.0, False), (COMPILED, 1000.0, True), (COMPILED, 1001.0, False)],
)
def test_equal_work_and_compiled_modules_are_held_against_the_peer(name: str, mine: float, met: bool) -> None:
    goal = named(goals(run(contender(PEER, 1000.0), contender(DEFAULT, 1200.0), contender(name, mine))), f"{name}: ")
    assert (goal.number, goal.met) == (9, met)


@pytest.mark.parametrize(("mine", "met"), [(1176.0, True), (1177.0, False)])
def test_without_a_compiler_a_decision_may_cost_a_little_more_than_the_peer(mine: float, met: bool) -> None:
    goal = named(goals(run(contender(PEER, 1000.0), contender(DEFAULT, mine))), f"0.85x {PEER}")
    assert (goal.number, goal.met) == (9, met)


def test_without_compiled_modules_what_they_cost_is_not_measured_rather_than_met() -> None:
    goal = named(goals(run(contender(PEER, 1000.0), contender(DEFAULT, 900.0))), f"1x {PEER}")
    assert (goal.met, goal.why) == (None, f"{COMPILED} took no part")
