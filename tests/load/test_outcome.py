from __future__ import annotations

import math

import pytest

from aegis_authz.load.outcome import Outcome


def outcome(latencies: tuple[float, ...], seconds: float = 2.0) -> Outcome:
    return Outcome(None, seconds, len(latencies), len(latencies), {}, 0, 0, {}, latencies)


def test_a_quantile_is_a_latency_that_was_seen_in_milliseconds() -> None:
    seen = outcome(tuple(n / 1000 for n in range(1, 11)))
    assert [seen.quantile(share) for share in (0.0, 0.5, 0.9, 0.91, 0.999, 1.0)] == pytest.approx([1, 5, 9, 10, 10, 10])


def test_without_a_right_answer_there_is_no_quantile_and_no_rate() -> None:
    nothing = outcome((), 0.0)
    assert math.isnan(nothing.quantile(0.5))
    assert nothing.achieved == 0


def test_the_rate_counts_right_answers_alone() -> None:
    mixed = Outcome(100, 2.0, 10, 6, {"OVERLOADED": 2, "HTTP 503": 1}, 1, 0, {"x": 1}, (0.001,) * 6)
    assert mixed.achieved == 3
    assert mixed.turned_away == 3
