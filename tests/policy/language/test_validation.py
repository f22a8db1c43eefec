"""What pydantic finds, said in plain words: what was expected, what was found, where."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, ONE_OR_MORE, Number, Words
from aegis_authz.policy.language.validation import Part, unknown_key, validated
from aegis_authz.policy.source.reader import MAX_VALUES, read_source


class _Inner(Part):
    size: Annotated[int, Field(ge=1, lt=9)] = 1
    kind: Literal["small", "large"] = "small"


class _Outer(Part):
    title: Words
    given: bool = False
    weight: Number = 1
    listed: Annotated[tuple[_Inner, ...], LISTED, NOT_EMPTY] | None = None
    several: dict[Words, Annotated[tuple[_Inner, ...], ONE_OR_MORE]] = Field(default_factory=dict)
    short: Annotated[str, Field(min_length=1)] = "x"
    renamed: str | None = Field(default=None, alias="else")


def told(text: str) -> list[str]:
    (source,), _ = read_source("f", text)
    _, problems = validated(_Outer, source)
    return [str(problem).splitlines()[0].removeprefix("f:") for problem in sorted(problems)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("given: true", "1:1: title: is required"),
        ("title: 5", "1:8: title: must be a text, not the number 5"),
        ("title: [a]", "1:8: title: must be a text, not a list"),
        ("title: ' a'", "1:8: title: must be 1 to 256 printable characters without spaces around them, not the text ' a'"),
        ("{title: a, given: 'true'}", "1:19: given: must be true or false, not the text 'true'"),
        ("{title: a, weight: five}", "1:20: weight: must be a number, not the text 'five'"),
        ("{title: a, weight: true}", "1:20: weight: must be a number, not true"),
        ("{title: a, listed: {}}", "1:20: listed: must be a list, not an empty mapping"),
        ("{title: a, listed: []}", "1:20: listed: must not be empty"),
        ("{title: a, listed: [5]}", "1:21: listed[0]: must be a mapping, not the number 5"),
        ("{title: a, listed: [{size: 0}]}", "1:28: listed[0].size: must be at least 1, not the number 0"),
        ("{title: a, listed: [{size: 9}]}", "1:28: listed[0].size: must be less than 9, not the number 9"),
        ("{title: a, listed: [{size: 1.5}]}", "1:28: listed[0].size: must be a whole number, not the number 1.5"),
        (
            "{title: a, listed: [{kind: larg}]}",
            "1:28: listed[0].kind: must be 'small' or 'large', not the text 'larg'; did you mean 'large'?",
        ),
        ("{title: a, listed: [{kind: 5}]}", "1:28: listed[0].kind: must be 'small' or 'large', not the number 5"),
        ("{title: a, several: {x: {sise: 1}}}", "1:26: several.x.sise: unknown key 'sise'; did you mean 'size'?"),
        ("{title: a, several: {x: [{}, {sise: 1}]}}", "1:31: several.x[1].sise: unknown key 'sise'; did you mean 'size'?"),
        ("{title: a, short: ''}", "1:19: short: must not be empty"),
        ("{title: a, els: x}", "1:12: els: unknown key 'els'; did you mean 'else'?"),
        ("{title: a, else: 5}", "1:18: else: must be a text, not the number 5"),
        ("title:", "1:7: title: must not be empty"),
        ("~", "1:1: must not be empty"),
        ("5", "1:1: must be a mapping, not the number 5"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_once_with_what_was_expected_and_found(text: str, expected: str) -> None:
    assert told(text) == [expected]


def test_every_mistake_is_said_at_once() -> None:
    assert told("given: 1\nweight: x\nlisted: [{size: 0, kind: x}, 5]\nother: 1\n") == [
        "1:1: title: is required",
        "1:8: given: must be true or false, not the number 1",
        "2:9: weight: must be a number, not the text 'x'",
        "3:17: listed[0].size: must be at least 1, not the number 0",
        "3:26: listed[0].kind: must be 'small' or 'large', not the text 'x'",
        "3:30: listed[1]: must be a mapping, not the number 5",
        "4:1: other: unknown key 'other'; known here: else, given, listed, several, short, title, weight",
    ]


def test_of_an_unknown_member_nothing_inside_is_told() -> None:
    assert told("title: a\nother: {x: , z: [~]}\n") == [
        "2:1: other: unknown key 'other'; known here: else, given, listed, several, short, title, weight"
    ]


def test_what_could_not_be_read_is_not_called_wrong_as_well() -> None:
    (source,), problems = read_source("f", "title: a\nweight: 010\n")
    document, told_of = validated(_Outer, source)
    assert document is None
    assert told_of == problems


def test_a_document_with_a_problem_somebody_else_found_is_not_taken() -> None:
    (source,), _ = read_source("f", "title: a\nweight: x\n")
    known = source.problem(("weight",), "is heavy")
    assert validated(_Outer, source, [known]) == (None, [known])


def test_a_right_document_is_read() -> None:
    (source,), _ = read_source("f", "{title: a, listed: [{size: 2}], else: x}")
    assert validated(_Outer, source) == (
        _Outer.model_validate({"title": "a", "listed": [{"size": 2}], "else": "x"}),
        [],
    )


def test_of_very_many_mistakes_only_as_many_are_worked_out_as_are_told() -> None:
    members = "".join(f"m{n}: 1\n" for n in range(MAX_VALUES // 2 - 10))
    assert len(told(f"title: a\n{members}")) == 101


def test_a_word_near_a_known_one_is_a_typing_mistake_before_it_is_anything_else() -> None:
    assert unknown_key("region", ["regions", "agent"]) == "unknown key 'region'; did you mean 'regions'?"
    assert unknown_key("environment", ["regions"]).startswith("'environment' is written as conditions:")
