from __future__ import annotations

from aegis_authz.adapters.batching.pace import Pace


def test_a_first_one_starts_at_once() -> None:
    pace = Pace(0.003)
    pace.came(10.0)
    assert pace.next_start(10.0) <= 10.0


def test_when_little_comes_nothing_waits() -> None:
    pace = Pace(0.003)
    for moment in range(20):
        pace.came(moment * 0.01)
        assert pace.next_start(moment * 0.01) <= moment * 0.01
        pace.began(moment * 0.01)


def test_when_much_comes_starts_are_a_window_apart() -> None:
    pace, now = Pace(0.003), 0.0
    for _ in range(200):
        now += 0.0005
        pace.came(now)
    pace.began(now)
    assert pace.next_start(now) == now + 0.003
    assert pace.next_start(now + 0.003) <= now + 0.003


def test_what_came_long_ago_is_forgotten() -> None:
    pace, now = Pace(0.003), 0.0
    for _ in range(200):
        now += 0.0005
        pace.came(now)
    pace.began(now + 10)
    pace.came(now + 10)
    assert pace.next_start(now + 10) <= now + 10


def test_without_a_window_nothing_waits() -> None:
    pace = Pace(0.0)
    for _ in range(200):
        pace.came(1.0)
    pace.began(1.0)
    assert pace.next_start(1.0) <= 1.0
