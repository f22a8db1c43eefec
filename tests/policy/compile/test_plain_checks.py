"""Checks of a plain rule by their kind: each of them in one place, and none left out."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.compile.plain_checks import by_kind

EMPTY: dict[str, Any] = {
    "between": {},
    "lengths": {},
    "counts": {},
    "among": {},
    "matching": {},
    "checks": [],
}


def check(parameter: str, condition: str, limit: Any, **members: Any) -> dict[str, Any]:
    return {"parameter": parameter, "condition": condition, "limit": limit, **members}


def test_bounds_on_both_sides_come_to_the_strictest() -> None:
    bounds = [check("a", "min", 0), check("a", "min", 1.5), check("a", "max", 9), check("a", "approval_needed_over", 7)]
    assert by_kind(bounds) == EMPTY | {"between": {"a": [1.5, 7]}}


def test_the_strictest_bound_is_the_one_that_is_least_as_it_is_written() -> None:
    whole, fraction = 2**63 + 92, 2.0**63  # the second is 192 less than it is written
    assert str(fraction) == "9.223372036854776e+18"
    for order in ([whole, fraction], [fraction, whole]):
        upper = by_kind([check("a", "min", 0), *(check("a", "max", limit) for limit in order)])
        lower = by_kind([check("a", "max", 2e19), *(check("a", "min", limit) for limit in order)])
        assert upper["between"] == {"a": [0, whole]}
        assert [str(bound) for bound in lower["between"]["a"]] == ["9.223372036854776e+18", "2e+19"]


def test_bounds_on_one_side_alone_stay_checks() -> None:
    bounds = [check("a", "min", 0), check("b", "max", 5), check("c", "over", 1), check("c", "under", 3)]
    assert by_kind(bounds) == EMPTY | {"checks": bounds}


def test_sizes_that_have_a_most_stand_by_parameter_and_others_are_checks() -> None:
    sizes: list[tuple[dict[str, int], list[int]]] = [
        ({"max": 3}, [0, 3]),
        ({"min": 1, "max": 3}, [1, 3]),
        ({"equals": 2}, [2, 2]),
        ({"min": 3, "equals": 2}, [3, 2]),
        ({"min": 1, "max": 4, "equals": 2}, [2, 2]),
    ]
    for limit, bounds in sizes:
        found = by_kind([check("a", "length", limit), check("b", "count", limit)])
        assert found == EMPTY | {"lengths": {"a": bounds}, "counts": {"b": bounds}}
    open_ended = [check("a", "length", {"min": 3}), check("b", "count", {"min": 0})]
    assert by_kind(open_ended) == EMPTY | {"checks": open_ended}
    twice = [check("a", "length", {"max": 3}), check("a", "length", {"max": 2})]
    assert by_kind(twice) == EMPTY | {"lengths": {"a": [0, 3]}, "checks": twice[1:]}


def test_values_and_patterns_stand_by_parameter_and_a_second_one_of_a_parameter_is_a_check() -> None:
    kept = [check("a", "in", [2]), check("b", "matches", "y", pattern="\\A(?:y)\\z"), check("a", "not_in", [3])]
    checks = [check("a", "in", [1, 2]), check("b", "matches", "x", pattern="\\A(?:x)\\z"), *kept]
    found = by_kind(checks)
    assert (found["among"], found["matching"]) == ({"a": [1, 2]}, {"b": "\\A(?:x)\\z"})
    assert found["checks"] == kept


def test_what_is_compared_by_no_number_is_no_bound() -> None:
    for limit in ("5", True, None, {"parameter": "b"}):
        with pytest.raises(TypeError, match="not a number"):
            by_kind([check("a", "min", 0), check("a", "max", limit)])


def test_what_is_no_list_of_checks_is_refused() -> None:
    for checks in (None, {}, ["x"]):
        with pytest.raises(TypeError, match="not a"):
            by_kind(checks)  # type: ignore[arg-type]  # what no compiler writes
