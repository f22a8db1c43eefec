"""The values of limits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aegis_authz.core.limit import (
    MOST_MICROS,
    Concurrency,
    Count,
    Distinct,
    Exceed,
    Flags,
    Rate,
    RollingWindow,
    window_of,
)


def test_the_strictest_of_what_calls_over_a_limit_meet_is_a_denial() -> None:
    order = [Exceed.OBSERVE, Exceed.SANITIZE, Exceed.APPROVAL_NEEDED, Exceed.DENY]
    assert all(milder < stricter for milder, stricter in pairwise(order))
    assert max(Exceed) is Exceed.DENY
    assert [exceed.strictness for exceed in order] == [0, 1, 2, 3]
    assert [exceed.word for exceed in order] == [exceed.value for exceed in order]
    with pytest.raises(TypeError):
        assert Exceed.DENY < 3


def test_twice_the_highest_amount_is_exact_in_a_lua_number() -> None:
    assert int(float(2 * MOST_MICROS)) == 2 * MOST_MICROS
    assert 2 * MOST_MICROS < 2**53


def test_some_terms_count_over_a_window() -> None:
    window = RollingWindow(1000)
    assert window_of(Count(3, window)) is window
    assert window_of(Distinct("payee", 3, window)) is window
    assert all(window_of(terms) is None for terms in (Rate(1, 1, 1), Concurrency(1, 1), Flags((), (), (), 1)))
