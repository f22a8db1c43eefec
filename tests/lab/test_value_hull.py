"""The narrowest conditions that values meet."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aegis_authz.core.json_value import Json
from aegis_authz.lab.value_hull import NoHull, ValueHull, closed_schema


def hull(values: Sequence[Json]) -> ValueHull:
    made = ValueHull()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        ([3, 1, 2], {"type": "integer", "min": 1, "max": 3}),
        ([1, 2.5], {"min": 1, "max": 2.5}),
        (["b", "a", "b"], {"in": ["a", "b"]}),
        ([True], {"in": [True]}),
        ([["x"], ["y", "x"]], {"count": {"min": 1, "max": 2}, "every": {"in": ["x", "y"]}}),
        ([[]], {"count": {"max": 0}}),
    ],
)
def test_what_was_seen_is_met_and_no_more(values: Sequence[Json], condition: Json) -> None:
    assert hull(values).condition(len(values)) == condition


def test_what_some_calls_lack_is_optional() -> None:
    assert hull(["a"]).condition(2) == {"in": ["a"], "optional": True}


@pytest.mark.parametrize("value", [None, {"a": 1}, [1], [["a"]]])
def test_what_no_condition_describes_is_said(value: Json) -> None:
    with pytest.raises(NoHull):
        hull([value])


def test_values_of_several_types_have_no_hull() -> None:
    with pytest.raises(NoHull, match="several types"):
        hull([1, "1"]).condition(2)


def test_a_closed_schema_lets_no_other_member_pass() -> None:
    assert closed_schema(["b", "a"]) == {
        "type": "object",
        "properties": {"a": {}, "b": {}},
        "additionalProperties": False,
    }
