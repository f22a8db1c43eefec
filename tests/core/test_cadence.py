from __future__ import annotations

from aegis_authz.core.cadence import Cadence


def test_a_first_one_starts_at_once() -> None:
    cadence = Cadence(0.003, 4)
    cadence.came(10.0)
    assert cadence.next_start(10.0) <= 10.0


def test_when_little_comes_nothing_waits() -> None:
    cadence = Cadence(0.003, 4)
    for moment in range(20):
        cadence.came(moment * 0.01)
        assert cadence.next_start(moment * 0.01) <= moment * 0.01
        cadence.began(moment * 0.01)


def test_when_much_comes_starts_are_a_window_apart() -> None:
    cadence, now = Cadence(0.003, 4), 0.0
    for _ in range(200):
        now += 0.0005
        cadence.came(now)
    cadence.began(now)
    assert cadence.next_start(now) == now + 0.003
    assert cadence.next_start(now + 0.003) <= now + 0.003


def test_what_came_long_ago_is_forgotten() -> None:
    cadence, now = Cadence(0.003, 4), 0.0
    for _ in range(200):
        now += 0.0005
        cadence.came(now)
    cadence.began(now + 10)
    cadence.came(now + 10)
    assert cadence.next_start(now + 10) <= now + 10


def test_without_a_window_nothing_waits() -> None:
    cadence = Cadence(0.0, 4)
    for _ in range(200):
        cadence.came(1.0)
    cadence.began(1.0)
    assert cadence.next_start(1.0) <= 1.0
