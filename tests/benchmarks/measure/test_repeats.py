from __future__ import annotations

import pytest

from benchmarks.measure.repeats import middle
from benchmarks.measure.results import PEER, Results
from tests.support.sample_runs import DEFAULT, answers, contender, run


def pair(peer: float, mine: float) -> Results:
    return run(contender(PEER, peer), contender(DEFAULT, mine))


def test_one_run_is_shown_as_it_is() -> None:
    single = pair(300.0, 600.0)
    assert middle([single]) == single
    assert single.slowest(DEFAULT) is None
    assert single.least_ratio(DEFAULT) is None


def test_without_a_run_there_is_nothing_to_show() -> None:
    with pytest.raises(ValueError, match="no run"):
        middle([])


def test_the_run_in_the_middle_is_shown_whole_with_the_others_beside_it() -> None:
    slow, good, fair = pair(300.0, 900.0), pair(300.0, 500.0), pair(400.0, 800.0)
    shown = middle([slow, good, fair])
    assert shown.contenders == fair.contenders
    assert [repeat.us_per_decision[DEFAULT] for repeat in shown.repeats] == [900.0, 500.0]
    assert shown.slowest(DEFAULT) == 900.0
    assert shown.least_ratio(DEFAULT) == pytest.approx(1 / 3)
    assert shown.slowest(PEER) == 400.0


def test_of_two_runs_the_worse_is_shown() -> None:
    assert middle([pair(300.0, 500.0), pair(300.0, 900.0)]).contender(DEFAULT) == contender(DEFAULT, 900.0)


def test_without_a_peer_the_cost_decides() -> None:
    runs = [run(contender(DEFAULT, cost)) for cost in (500.0, 700.0, 900.0)]
    assert middle(runs).contender(DEFAULT) == contender(DEFAULT, 700.0)


def test_a_run_without_figures_is_the_worst() -> None:
    runs = [run(contender(DEFAULT, cost)) for cost in (500.0, 0.0, 700.0)]
    assert middle(runs).contender(DEFAULT) == contender(DEFAULT, 700.0)


def test_a_wrong_answer_in_any_run_voids_what_is_shown() -> None:
    spoilt = run(contender(PEER, 300.0), contender(DEFAULT, 300.0, seen=answers(wrong=1)))
    shown = middle([spoilt, pair(300.0, 500.0), pair(300.0, 600.0)])
    assert shown.contender(DEFAULT) == contender(DEFAULT, 500.0)
    assert shown.wrong == 1


def test_a_contender_that_another_run_left_out_counts_where_it_took_part() -> None:
    alone = run(contender(DEFAULT, 400.0))
    shown = middle([alone, pair(300.0, 500.0), pair(300.0, 450.0)])
    assert shown.least_ratio(DEFAULT) == pytest.approx(0.6)
    assert shown.slowest(PEER) == 300.0
