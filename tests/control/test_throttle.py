from __future__ import annotations

from aegis_authz.control.throttle import Throttle
from aegis_authz.core.units import Monotonic


def test_a_burst_is_admitted_and_then_the_steady_rate() -> None:
    throttle = Throttle(rate=2, burst=3)
    assert [throttle.admits("a", Monotonic(100.0)) for _ in range(4)] == [True, True, True, False]
    assert [throttle.admits("a", Monotonic(100.5)) for _ in range(2)] == [True, False]


def test_each_name_has_its_own_share() -> None:
    throttle = Throttle(rate=1, burst=1)
    assert throttle.admits("a", Monotonic(5.0))
    assert throttle.admits("b", Monotonic(5.0))


def test_what_is_refused_does_not_put_off_what_comes_later() -> None:
    throttle = Throttle(rate=1, burst=1)
    assert throttle.admits("a", Monotonic(5.0))
    assert not any(throttle.admits("a", Monotonic(5.5)) for _ in range(50))
    assert throttle.admits("a", Monotonic(6.0))


def test_a_flood_of_names_is_forgotten() -> None:
    throttle = Throttle(rate=1, burst=1)
    for number in range(20_000):
        throttle.admits(str(number), Monotonic(5.0))
    assert throttle.admits("0", Monotonic(5.0))
    assert not throttle.admits("19999", Monotonic(5.0))
