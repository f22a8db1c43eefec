"""What a second authorizer adds: which runs count, and what is said of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from aegis_authz.load.outcome import Outcome
from benchmarks.measure.cpu_quota import QuotaUnavailable, limited, settings_of
from benchmarks.scale import END, GOAL, PAGE, START, NothingMeasured, Scale, rate_of, sentence

RUN = Outcome(None, 2.0, 400, 400, {}, 0, 0, {}, (0.01,))
SPIN = "import sys\nsys.stdout.write('on\\n'); sys.stdout.flush()\nwhile True: pass"


def test_a_run_counts_where_every_authorizer_wanted_more_and_every_answer_was_right() -> None:
    assert rate_of(RUN, [0.9, 0.7]) == 200


@pytest.mark.parametrize(
    ("outcome", "throttled"),
    [
        (RUN, [0.9, 0.3]),
        (replace(RUN, right=399, refused={"DEADLINE_EXCEEDED": 1}), [0.9, 0.7]),
        (replace(RUN, right=399, wrong=1, faults={"200": 1}), [0.9, 0.7]),
        (replace(RUN, right=399, failed=1), [0.9, 0.7]),
    ],
)
def test_a_run_that_shows_something_else_counts_for_nothing(outcome: Outcome, throttled: list[float]) -> None:
    with pytest.raises(NothingMeasured):
        rate_of(outcome, throttled)


def test_the_page_says_what_was_measured_beside_the_goal() -> None:
    said = PAGE.read_text("utf-8").partition(START)[2].partition(END)[0]
    assert f"(goal: {GOAL} times)" in said
    assert float(said.partition("behind one Envoy answer ")[2].partition(" times")[0]) > 1


def test_medians_are_compared() -> None:
    scale = Scale(share=0.2, seconds=8, one=(100, 1, 110), two=(200, 190, 900))
    assert scale.factor == 2.0
    assert "answer 2.00 times the calls of one: 200 calls a second (190 to 900 in 3 rounds" in sentence(scale)


def test_a_share_is_a_quota_of_a_short_period() -> None:
    assert settings_of(0.25, is_second_version=True) == {"cpu.max": "2500 10000", "cpu.weight": "10000"}
    assert settings_of(0.25, is_second_version=False) == {
        "cpu.cfs_period_us": "10000",
        "cpu.cfs_quota_us": "2500",
        "cpu.shares": "102400",
    }
    with pytest.raises(ValueError, match="less than 10% of a core"):
        settings_of(0.05, is_second_version=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: control groups are NOT tried here")
def test_a_process_that_wants_a_core_is_held_to_its_share_and_let_go() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"on\n"
            try:
                with limited(process.pid, 0.1) as quota:
                    while quota.periods()[1] < 5:
                        assert process.poll() is None
                    folder = quota.folder
            except QuotaUnavailable as fault:
                pytest.skip(f"NO CONTROL GROUP: {fault}")
            assert not folder.exists()
        finally:
            process.kill()
