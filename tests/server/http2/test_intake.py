from __future__ import annotations

import pytest

from aegis_authz.server.http2.intake import Intake

WINDOW = 0.006


def busy(now: float) -> Intake:
    """An intake that many calls came to until `now`, the last of them in a window that began there."""
    intake = Intake(WINDOW)
    for turn in range(20, -1, -1):
        intake.reads_on(8, now - turn * WINDOW)
    return intake


def test_while_few_calls_come_a_socket_is_read_on_at_once() -> None:
    intake = Intake(WINDOW)
    for moment in range(100):
        assert intake.reads_on(1, moment * 0.01) == moment * 0.01


def test_when_many_calls_come_a_socket_is_read_on_at_the_end_of_the_window() -> None:
    assert busy(1.0).reads_on(1, 1.001) == pytest.approx(1.0 + WINDOW)


def test_all_sockets_are_read_on_together() -> None:
    intake = busy(1.0)
    ends = intake.reads_on(3, 1.0 + WINDOW)
    assert ends == pytest.approx(1.0 + 2 * WINDOW)
    assert intake.reads_on(3, 1.0 + WINDOW + 0.004) == ends


def test_a_timer_that_rings_early_begins_the_next_window() -> None:
    early = 1.0 + WINDOW - 0.0005
    assert busy(1.0).reads_on(3, early) == pytest.approx(early + WINDOW)


def test_what_begins_no_call_is_read_on_at_once() -> None:
    assert busy(1.0).reads_on(0, 1.001) == 1.001


def test_after_a_pause_nothing_waits() -> None:
    intake = busy(1.0)
    assert intake.reads_on(1, 2.0) == 2.0


def test_a_window_that_is_over_delays_nobody() -> None:
    intake = busy(1.0)
    late = 1.0 + 3 * WINDOW
    assert intake.reads_on(1, late) == pytest.approx(late + WINDOW)  # a window of its own, which begins now


def test_without_a_window_nothing_waits() -> None:
    intake = Intake(0.0)
    assert [intake.reads_on(8, moment / 1000) for moment in range(20)] == [moment / 1000 for moment in range(20)]
