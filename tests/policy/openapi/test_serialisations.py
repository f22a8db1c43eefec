"""Parameters as style and explode say they are written; OpenAPI 3.1.1, section 4.8.12.6, has the table."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind
from aegis_authz.policy.openapi.serialisations import Pairs, pairs_of, text_of

COLOUR = {"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": ["integer", "null"]}}}
LIST = {"type": "array", "items": {"type": "string"}}
TEXT, INTEGER = Kind("string", False, None), Kind("integer", False, None)


def pairs(schema: object, **words: object) -> Pairs:
    described: Any = {"schema": schema, **words}
    return pairs_of(Description({}), "color", described)


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ({}, {"R": INTEGER, "G": INTEGER}),
        ({"style": "form", "explode": True}, {"R": INTEGER, "G": INTEGER}),
        ({"style": "deepObject"}, {"color[R]": INTEGER, "color[G]": INTEGER}),
        ({"style": "deepObject", "explode": True}, {"color[R]": INTEGER, "color[G]": INTEGER}),
    ],
)
def test_an_object_that_is_written_as_pairs_has_a_parameter_for_each_member(
    words: dict[str, object], kinds: dict[str, Kind]
) -> None:
    assert pairs(COLOUR, **words) == Pairs(kinds, False, ())


@pytest.mark.parametrize(
    "words",
    [{"explode": False}, {"style": "spaceDelimited"}, {"style": "pipeDelimited", "explode": False}],
)
@pytest.mark.parametrize(("schema", "noun"), [(COLOUR, "an object"), (LIST, "a list")])
def test_what_is_joined_is_one_text(words: dict[str, object], schema: object, noun: str) -> None:
    assert pairs(schema, **words) == Pairs(
        {"color": TEXT}, False, (f"the query parameter 'color' is {noun} in one text: judged as a text",)
    )


def test_a_list_is_a_pair_for_each_element_unless_it_is_joined() -> None:
    kinds = {"color": Kind("array", False, "string")}
    assert pairs(LIST) == pairs(LIST, style="pipeDelimited", explode=True) == Pairs(kinds, False, ())


def test_an_object_that_says_so_lets_others_pass() -> None:
    for words in ({}, {"style": "deepObject"}):
        read = pairs({**COLOUR, "additionalProperties": {"type": "string"}}, **words)
        assert (len(read.kinds), read.is_open) == (2, True)
        assert read.gaps == (
            "the query parameter 'color' may have members that are not described: they are allowed (others: allow)",
        )


def test_an_object_without_members_is_said_to_list_none() -> None:
    closed = "the members of the query parameter 'color' are not described: none is listed"
    assert pairs({"type": "object"}) == Pairs({}, False, (closed,))
    read = pairs({"type": "object", "additionalProperties": True}, style="deepObject")
    assert (read.is_open, "others: allow" in read.gaps[0]) == (True, True)


def test_a_member_that_no_pair_can_be_is_named() -> None:
    nested = {"type": "object", "properties": {"a": COLOUR, "b": LIST, "c": {"type": "string"}}}
    deep = pairs(nested, style="deepObject")
    assert list(deep.kinds) == ["color[c]"]
    assert deep.gaps == (
        "the member 'a' of the query parameter 'color' is an object: it is not listed",
        "the member 'b' of the query parameter 'color' is a list: it is not listed",
    )
    assert list(pairs(nested).kinds) == ["b", "c"]  # form: b=1&b=2


@pytest.mark.parametrize("schema", [LIST, {"anyOf": [COLOUR, {"type": "integer"}]}])
def test_what_deep_object_does_not_define_is_named(schema: object) -> None:
    read = pairs(schema, style="deepObject")
    assert (list(read.kinds), read.is_open) == (["color"], False)
    assert read.gaps == (
        "the query parameter 'color' may be written as 'color[...]': pairs of its bare name alone are taken",
    )


def test_an_object_in_a_style_of_which_nothing_is_said_is_named() -> None:
    read = pairs(COLOUR, style="pipeDelimited", explode=True)
    assert (read.kinds, "not defined" in read.gaps[0]) == ({"color": TEXT}, True)


def test_what_content_describes_is_a_text() -> None:
    described: Any = {"content": {"application/json": {"schema": COLOUR}}}
    assert pairs_of(Description({}), "color", described) == Pairs({"color": TEXT}, False, ())


def test_lists_and_objects_of_a_path_or_a_header_are_one_text() -> None:
    assert text_of(INTEGER, "path parameter 'id'") == (INTEGER, ())
    assert text_of(Kind("array", False, "string"), "path parameter 'id'") == (
        TEXT,
        ("the path parameter 'id' is a list in one text: judged as a text",),
    )
