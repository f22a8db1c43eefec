"""The outline of a JSON text, held against the values that the standard library reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.json_outline import Outline, may_be_dense

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def counted(value: Json) -> tuple[int, int]:
    """The members and the depth of a value."""
    if isinstance(value, dict):
        below = [counted(inner) for inner in value.values()]
        return len(value) + sum(members for members, _ in below), 1 + max((depth for _, depth in below), default=0)
    if isinstance(value, list):
        below = [counted(inner) for inner in value]
        return sum(members for members, _ in below), 1 + max((depth for _, depth in below), default=0)
    return 0, 0


@given(VALUES, st.booleans())
def test_members_and_depth_are_those_of_the_value(value: Json, ascii_only: bool) -> None:
    outline = Outline(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert (outline.members, outline.depth) == counted(value)


@given(st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_every_number_is_listed_as_it_is_written(numbers: list[int | float]) -> None:
    text = json.dumps({"-12.5e3": [True, False, None, *numbers, "1e5"]})
    assert Outline(text.encode()).numbers() == list(map(json.dumps, numbers))


@pytest.mark.parametrize(
    ("number", "is_unusual"),
    [
        ("123456789012345", False),
        ("0.12345678901234", False),
        ("0.123456789012345", True),
        ("1e5", True),
        ("1E5", True),
    ],
)
def test_a_number_is_unusual_with_an_exponent_or_many_digits(number: str, is_unusual: bool) -> None:
    assert Outline(f'{{"1e5":[true,{number}]}}'.encode()).has_unusual_numbers is is_unusual


def test_a_text_is_dense_by_its_commas_and_brackets() -> None:
    assert not may_be_dense(b"[1,2]", 2)
    assert may_be_dense(b"[1,2,{}]", 3)
