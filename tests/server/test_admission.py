"""The number of checks under way follows how long they take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.server.admission import Admission


def admitted(admission: Admission, most: int = 10_000) -> int:
    """Enter until refused."""
    count = 0
    while count < most and admission.enter():
        count += 1
    return count


def played(admission: Admission, rounds: int, seconds: float) -> None:
    """Rounds of as many checks as are let in, each of which takes `seconds`."""
    for number in range(rounds):
        began = number * 10.0
        for _ in range(admitted(admission)):
            admission.leave(began, began + seconds)


def test_checks_beyond_the_limit_are_refused_until_one_ends() -> None:
    admission = Admission(least=2, most=4, target=0.02)
    assert admitted(admission) == 4
    assert not admission.enter()
    admission.leave(0.0, 0.01)
    assert admission.enter()


def test_slow_checks_lower_the_limit_no_further_than_the_least() -> None:
    admission = Admission(least=8, most=512, target=0.02)
    played(admission, rounds=100, seconds=0.05)
    assert admitted(admission) == 8


def test_quick_checks_raise_it_again_no_further_than_the_most() -> None:
    admission = Admission(least=8, most=64, target=0.02)
    played(admission, rounds=50, seconds=0.05)
    played(admission, rounds=300, seconds=0.001)
    assert admitted(admission) == 64


def test_a_server_with_little_to_do_does_not_raise_its_limit() -> None:
    admission = Admission(least=8, most=512, target=0.02)
    before = admission.limit
    for number in range(1000):
        assert admission.enter()
        admission.leave(number, number + 0.001)
    assert admission.limit == before


def test_one_wave_of_slow_checks_is_one_reason_to_cut() -> None:
    admission = Admission(least=1, most=100, target=0.02)
    played(admission, rounds=500, seconds=0.001)
    admitted(admission)
    for _ in range(100):
        admission.leave(10_000.0, 10_000.1)
    assert admission.limit == 85


def test_a_few_slow_checks_among_many_turn_nobody_away() -> None:
    admission = Admission(least=1, most=100, target=0.02)
    played(admission, rounds=500, seconds=0.001)
    for number in range(1000):
        assert admission.enter()
        admission.leave(20_000.0 + number, 20_000.0 + number + (0.1 if number % 20 == 0 else 0.001))
    assert admission.limit == 100


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=300))
def test_whatever_happens_the_limit_stays_within_its_bounds(steps: list[tuple[bool, float]]) -> None:
    admission, now = Admission(least=3, most=9, target=0.02), 0.0
    for enters, seconds in steps:
        if enters:
            admission.enter()
        elif admission.under_way:
            admission.leave(now, now + seconds)
            now += seconds
        assert 3 <= admission.limit <= 9
        assert 0 <= admission.under_way <= 9
