from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.local.restart import FIRST_DELAY, LAST_DELAY, NEVER_DIED, STABLE_AFTER


def test_the_first_restart_comes_at_once_and_each_next_one_waits_twice_as_long() -> None:
    backoff, delays = NEVER_DIED, []
    for _ in range(5):
        backoff = backoff.died(lived=0.5)
        delays.append(backoff.delay)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert backoff.restarts == 5


@given(st.lists(st.floats(0, STABLE_AFTER, exclude_max=True), max_size=300))
def test_the_delay_never_leaves_its_bounds(lives: list[float]) -> None:
    backoff = NEVER_DIED
    for lived in lives:
        backoff = backoff.died(lived)
        assert FIRST_DELAY <= backoff.delay <= LAST_DELAY
    assert backoff.restarts == len(lives)


def test_a_stable_time_is_forgiving() -> None:
    backoff = NEVER_DIED
    for _ in range(20):
        backoff = backoff.died(lived=0)
    assert backoff.delay == LAST_DELAY
    forgiven = backoff.died(lived=STABLE_AFTER)
    assert forgiven.delay == FIRST_DELAY
    assert forgiven.restarts == 21
