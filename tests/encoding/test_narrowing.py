from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import narrowing

VALUES: list[Json] = [None, True, False, 0, 7, 0.5, "", "text", [], [1], {}, {"a": 1}]
READERS: dict[str, tuple[Callable[[Json, str], object], list[Json]]] = {
    "mapping": (narrowing.mapping, [{}, {"a": 1}]),
    "items": (narrowing.items, [[], [1]]),
    "text": (narrowing.text, ["", "text"]),
    "number": (narrowing.number, [0, 7, 0.5]),
    "integer": (narrowing.integer, [0, 7]),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_own_type_and_nothing_else(name: str) -> None:
    read, own = READERS[name]
    for value in VALUES:
        if any(value is mine or (type(value) is type(mine) and value == mine) for mine in own):
            assert read(value, "a value") == value
        else:
            with pytest.raises(ValueError, match="a value is not"):
                read(value, "a value")


def test_an_object_has_exactly_the_members_that_are_named() -> None:
    assert narrowing.members({"a": 1, "b": 2}, {"a", "b"}, "it") == {"a": 1, "b": 2}
    for value in ({"a": 1}, {"a": 1, "b": 2, "c": 3}, {}, [], None, "a"):
        with pytest.raises(ValueError, match="it is not an object of a, b"):
            narrowing.members(value, {"a", "b"}, "it")
