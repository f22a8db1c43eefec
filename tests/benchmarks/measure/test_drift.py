from __future__ import annotations

import random

import pytest

from benchmarks.measure.drift import Allowance, trend

TIMES = [5.0 * n for n in range(60)]
SOME = Allowance(share=0.05, floor=1.0)


def noise(seed: int) -> list[float]:
    chance = random.Random(seed)  # noqa: S311  # samples, no secrets
    return [chance.gauss(0, 1) for _ in TIMES]


def test_a_constant_is_flat() -> None:
    found = trend(TIMES, [7.0] * 60, SOME)
    assert not found.drifts
    assert found.rise == 0
    assert found.share == 0


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_flat(seed: int) -> None:
    assert not trend(TIMES, [20 + 4 * each for each in noise(seed)], SOME).drifts


@pytest.mark.parametrize("seed", range(20))
def test_a_slow_leak_in_noise_drifts(seed: int) -> None:
    found = trend(
        TIMES, [100 + 20 * time / TIMES[-1] + each for time, each in zip(TIMES, noise(seed), strict=True)], SOME
    )
    assert found.drifts
    assert found.share == pytest.approx(0.18, abs=0.03)


def test_a_leak_within_what_is_allowed_is_flat() -> None:
    assert not trend(TIMES, [100 + 4 * time / TIMES[-1] for time in TIMES], SOME).drifts


def test_a_small_series_may_rise_by_the_floor() -> None:
    values = [4.0] * 30 + [4.8] * 30
    assert not trend(TIMES, values, SOME).drifts
    assert trend(TIMES, values, Allowance(share=0.05, floor=0.5)).drifts


def test_a_few_odd_samples_make_no_drift() -> None:
    values = [10.0] * 60
    values[55:58] = [500.0, 400.0, 900.0]
    assert not trend(TIMES, values, SOME).drifts


def test_a_staircase_drifts() -> None:
    assert trend(TIMES, [50.0 + 3 * (n // 12) for n in range(60)], SOME).drifts


def test_one_late_step_that_stays_drifts() -> None:
    assert trend(TIMES, [50.0] * 40 + [60.0] * 20, SOME).drifts


def test_what_falls_does_not_drift() -> None:
    found = trend(TIMES, [100 - time / 10 for time in TIMES], SOME)
    assert not found.drifts
    assert found.rise < 0


def test_what_was_nothing_and_comes_up_drifts_without_end() -> None:
    found = trend(TIMES, [0.0] * 31 + [float(n) for n in range(29)], SOME)
    assert found.drifts
    assert found.share == float("inf")


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="5 samples show no trend"):
        trend(TIMES[:5], [1.0] * 5, SOME)
