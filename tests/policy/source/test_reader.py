"""The loader: one meaning a text, and every refusal with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import MAX_BYTES, read_source


def values(text: str) -> list[object]:
    documents, problems = read_source("f.yaml", text)
    assert problems == []
    return [document.value for document in documents]


def complaints(text: str) -> list[str]:
    _, problems = read_source("f.yaml", text)
    return [str(problem).splitlines()[0] for problem in problems]


def test_yaml_and_json_read_as_the_same_values() -> None:
    expected = [{"a": 1, "b": [1.5, "x", True, None], "c": {"d": "5"}}]
    assert values('a: 1\nb:\n  - 1.5\n  - x\n  - true\n  - null\nc: {d: "5"}\n') == expected
    assert values('{"a": 1, "b": [1.5, "x", true, null], "c": {"d": "5"}}') == expected


def test_a_file_may_hold_several_documents_and_empty_ones_do_not_count() -> None:
    assert values("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert values("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "f.yaml:2:1: a: given twice; first on line 1"),
        ("x:\n  b: {c: 1, c: 2}\n", "f.yaml:2:13: x.b.c: given twice; first on line 2"),
        ("a: &x 1\n", "f.yaml:1:4: a: anchors (&name) are not allowed"),
        ("a: !!str 1\n", "f.yaml:1:4: a: tags (!name) are not allowed"),
        ("a: !!python/object:os.system {}\n", "f.yaml:1:4: a: tags (!name) are not allowed"),
        ("<<: {a: 1}\n", "f.yaml:1:1: <<: merge keys (<<) are not allowed; write the members out"),
        ("a:\t1\n", "f.yaml:1:3: tabs are not allowed; use spaces"),
        ("1: a\n", "f.yaml:1:1: 1: a key must be a text; write '1' in quotes"),
        (
            "x: {yes: a}\n",
            "f.yaml:1:5: x.yes: 'yes' is read differently by different YAML readers; write true, false or "
            + "a plain number, or put it in quotes",
        ),
        ("true: a\n", "f.yaml:1:1: true: a key must be a text; write 'true' in quotes"),
        ("? [a]\n: b\n", "f.yaml:1:3: a key must be a text"),
        ("a: 1e999\n", "f.yaml:1:4: a: the number is out of range"),
        ("a: 99999999999999999999999\n", "f.yaml:1:4: a: the integer does not fit 64 bits"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: directives (%YAML, %TAG) are not allowed"),
        ("a: x\u202ey\n", "f.yaml:1:5: the character U+202E is not allowed"),
        ("- a\n- [b\n", "f.yaml:3:1: not YAML: did not find expected ',' or ']'"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str, expected: str) -> None:
    assert complaints(text) == [expected]


@pytest.mark.parametrize(
    "word", ["yes", "No", "on", "OFF", "True", "NULL", "010", "0x1f", "1_000", "1:30", ".inf", ".NaN", "+5"]
)
def test_words_that_yaml_readers_disagree_on_must_be_quoted(word: str) -> None:
    assert len(complaints(f"a: {word}\n")) == 1
    assert values(f'a: "{word}"\n') == [{"a": word}]


def test_aliases_are_refused_so_a_small_file_stays_small() -> None:
    bomb = "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert [line.split(": ", 2)[2].split(" ")[0] for line in complaints(bomb)] == [
        "anchors", "anchors", "aliases", "aliases", "aliases", "aliases",
    ]  # fmt: skip


def test_deep_nesting_stops_at_the_limit() -> None:
    assert values("[" * 64 + "]" * 64) != []
    assert complaints("[" * 65 + "]" * 65) == ["f.yaml:1:65: nested more than 64 levels deep"]
    assert complaints("[" * 100_000) == ["f.yaml:1:65: nested more than 64 levels deep"]


def test_an_oversize_file_is_refused_unread() -> None:
    expected = [f"f.yaml:1:1: larger than {MAX_BYTES} bytes; put it into several files"]
    assert complaints("a: " + "x" * MAX_BYTES) == expected
    assert complaints("a: " + "é" * (MAX_BYTES // 2)) == expected


def test_a_problem_shows_its_line_and_the_one_before_with_a_mark_under_the_word() -> None:
    _, problems = read_source("f.yaml", "one: 1\ntwo: yes\n")
    assert str(problems[0]).splitlines()[1:] == ["  1 | one: 1", "  2 | two: yes", "    |      ^^^"]


def test_a_long_line_is_cut_around_the_mark() -> None:
    _, problems = read_source("f.yaml", '{"a": "' + "x" * 500 + '", "b": yes}')
    shown, mark = str(problems[0]).splitlines()[1:]
    assert len(shown) <= 115
    assert shown[mark.index("^") :].startswith("yes")
    assert mark.count("^") == 3


def test_every_value_and_key_has_its_place() -> None:
    (document,), _ = read_source("f.yaml", "a: 1\nb:\n  - x\n  - {c: é, d: 2}\n")
    places = {location: (place.line, place.column) for location, place in document.at.items()}
    assert places == {
        (): (1, 1), ("a",): (1, 4), ("b",): (3, 3), ("b", 0): (3, 5),
        ("b", 1): (4, 5), ("b", 1, "c"): (4, 9), ("b", 1, "d"): (4, 15),
    }  # fmt: skip
    assert {location: (place.line, place.column) for location, place in document.keys.items()} == {
        ("a",): (1, 1), ("b",): (2, 1), ("b", 1, "c"): (4, 6), ("b", 1, "d"): (4, 12),
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_places_count_lines_as_editors_do(ending: str) -> None:
    (document,), _ = read_source("f.yaml", ending.join(["a: 1", "", "# é", "b: [x, y]", ""]))
    assert (document.at[("b", 1)].line, document.at[("b", 1)].column) == (4, 8)


def test_places_stay_right_behind_a_member_that_is_given_twice() -> None:
    (document,), problems = read_source("f.yaml", "a: {x: 1}\nb: 2\na: {b: [3], c: 4}\nc: 5\n")
    assert [str(one).splitlines()[0] for one in problems] == ["f.yaml:3:1: a: given twice; first on line 1"]
    assert document.value == {"a": {"x": 1}, "b": 2, "c": 5}
    assert (document.at[("c",)].line, document.at[("c",)].column) == (4, 4)
    assert document.at.keys() == {(), ("a",), ("a", "x"), ("b",), ("c",)}


def test_what_is_repeated_inside_a_repeated_member_is_told_as_well() -> None:
    assert complaints("a: 1\na:\n  x: 1\n  x: 2\n") == [
        "f.yaml:2:1: a: given twice; first on line 1", "f.yaml:4:3: a.x: given twice",
    ]  # fmt: skip


def test_a_file_that_breaks_off_keeps_what_stood_before_and_its_problem() -> None:
    documents, problems = read_source("f.yaml", "tool: a\n---\ntool: b\nhost: [x\n")
    assert [(one.value, one.broken) for one in documents] == [
        ({"tool": "a"}, False), ({"tool": "b", "host": ["x"]}, True),
    ]  # fmt: skip
    assert documents[1].problems == tuple(problems)


def test_after_a_hundred_problems_the_rest_of_a_file_is_not_read() -> None:
    found = complaints("a: yes\n---\n" * 500)
    assert len(found) == 101
    assert found[-1] == "f.yaml:201:4: more problems follow in this file"


@given(st.data())
def test_places_are_where_the_values_are_written(data: st.DataObject) -> None:
    import json

    value = data.draw(st.recursive(st.integers(-99, 99) | st.text('aé"\\\n ', max_size=4), _containers, max_leaves=9))
    text = json.dumps(value, indent=data.draw(st.sampled_from([None, 1, 2])), ensure_ascii=False)
    lines = text.split("\n")
    (document,), problems = read_source("f.yaml", text)
    assert problems == []
    assert document.value == value
    for location, place in document.at.items():
        inner = document.value
        for part in location:
            inner = inner[part]  # type: ignore[index]
        written = (
            "{"
            if isinstance(inner, dict)
            else "["
            if isinstance(inner, list)
            else json.dumps(inner, ensure_ascii=False)
        )
        assert lines[place.line - 1][place.column - 1 :].startswith(written)


def _containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)


def test_control_characters_of_a_file_never_reach_a_terminal() -> None:
    _, problems = read_source("f.yaml", 'a: "\x1b[31m"\n')
    assert problems
    assert "\x1b" not in str(PolicyErrors(problems))


_PIECES = st.sampled_from(
    ["a", "agent", "allowed_tools", ":", ": ", "- ", "\n", "\n  ", "{", "}", "[", "]", ",", "&x ", "*x", "!!", "<<: ",
     "? ", "|\n", ">-\n", '"', "'", "---\n", "...\n", "%YAML 1.2\n", "#", "1e5", "yes", "\t", "\x00", "\ud800", "\u2028", "💥"]
)  # fmt: skip
_HOSTILE = st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map("".join))


@given(_HOSTILE)
def test_hostile_text_is_only_ever_refused_in_order(text: str) -> None:
    for policies, tools in (({"p.yaml": text}, {}), ({}, {"t.yaml": text})):
        try:
            load(policies, tools)
        except PolicyErrors as errors:
            assert errors.problems
            for problem in errors.problems:
                assert problem.line >= 1
                assert problem.column >= 1
                assert problem.message
            assert str(errors).replace("\n", "").isprintable()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_WORDS = st.sampled_from(
    ["org", "tenant", "agent", "mode", "allowed_tools", "egress", "conditions", "name", "actions", "parameters", "tool",
     "host", "upstream", "mcp", "match", "sanitize", "request", "approval", "max_amount", "in", "matches"]
)  # fmt: skip
_SHAPED = st.recursive(_JSON, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=6))


@given(_SHAPED)
def test_any_json_value_is_loaded_or_refused(value: object) -> None:
    import json

    text = json.dumps(value)
    for policies, tools in (({"p.json": text}, {}), ({}, {"t.json": text})):
        try:
            loaded = load(policies, tools)
        except PolicyErrors as errors:
            assert errors.problems
        else:
            assert value is None or loaded.policies or loaded.tools
