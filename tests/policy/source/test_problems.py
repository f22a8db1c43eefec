"""How problems read, and how many are told."""

from __future__ import annotations

import pytest

from aegis_authz.policy.source.places import Place, problem_at
from aegis_authz.policy.source.problems import (
    MOST_IN_A_FILE,
    MOST_PROBLEMS,
    PolicyErrors,
    Problem,
    described,
    did_you_mean,
    printable,
    quoted,
)

TEXT = "agent: a\nallowed_tools:\n  - name: pay\n    conditions: {max_amount: five}\n"


def shown(text: str, line: int, column: int) -> list[str]:
    return str(problem_at("p.yaml", text, Place(line, column), "x", "is wrong")).splitlines()


def test_a_problem_shows_the_line_before_the_line_and_a_mark_under_the_word() -> None:
    assert shown(TEXT, 4, 30) == [
        "p.yaml:4:30: x: is wrong",
        "  3 |   - name: pay",
        "  4 |     conditions: {max_amount: five}",
        "    |                              ^^^^",
    ]


def test_the_first_line_has_none_before_it() -> None:
    assert shown(TEXT, 1, 1) == ["p.yaml:1:1: x: is wrong", "  1 | agent: a", "    | ^^^^^"]


def test_line_numbers_of_different_length_stand_below_each_other() -> None:
    assert shown("\n" * 8 + "a: 1\nb: 2\n", 10, 4)[1:] == ["   9 | a: 1", "  10 | b: 2", "     |    ^"]


@pytest.mark.parametrize(
    ("line", "column", "marked"),
    [
        ('a: "two words", b: 1', 4, '"two words"'),
        ("a: 'it', b: 1", 4, "'it'"),
        ("host: http://x.example:80/a", 7, "http://x.example:80/a"),
        ("max_amount: 5", 1, "max_amount"),
        ("[a,b]", 2, "a"),
        ("[a,b]", 1, "["),
        ("a: ", 3, " "),
    ],
)
def test_the_mark_spans_the_word(line: str, column: int, marked: str) -> None:
    mark = shown(line, 1, column)[-1]
    assert mark.count("^") == len(marked)
    assert mark.index("^") == len("  1 | ") + column - 1


@pytest.mark.parametrize(
    ("line", "word", "columns", "marks"),
    [
        ("agent: 代理 five", "five", 12, 4),
        ("agent: five", "five", 7, 4),
        ("agent: 代理", "代理", 7, 4),
        ("agent: e\u0301e\u0301 five", "five", 10, 4),
        ('agent: "代", x', "x", 13, 1),
    ],
)
def test_the_mark_stands_below_the_word_whatever_the_width_of_its_characters(
    line: str, word: str, columns: int, marks: int
) -> None:
    shown = str(Problem("a.yaml", 1, line.index(word) + 1, "", "wrong", line)).splitlines()[-1]
    assert shown == f"    | {' ' * columns}{'^' * marks}"


def test_a_long_line_is_cut_around_the_column_and_so_is_the_line_before() -> None:
    long = "x" * 300 + " wrong " + "y" * 10_000
    found = problem_at("p.yaml", f"{'z' * 400}\n{long}", Place(2, 302), "", "is wrong")
    before, line, mark = str(found).splitlines()[1:]
    assert line[mark.index("^") :].startswith("wrong")
    assert mark.count("^") == 5
    assert max(len(before), len(line)) < 120
    assert len(found.excerpt) <= 100  # nothing long is sent anywhere


def test_a_whole_line_from_elsewhere_is_cut_when_it_is_shown() -> None:
    found = Problem("p.yaml", 1, 301, "", "is wrong", "x" * 300 + "wrong" + " y" * 500)
    line, mark = str(found).splitlines()[1:]
    assert line[mark.index("^") :].startswith("wrong")
    assert len(line) < 120


def test_nothing_of_a_source_can_steer_a_terminal() -> None:
    found = problem_at("p.yaml", "a\x1b[31m\nb\x07: c\n", Place(2, 1), "", "is wrong")
    assert str(found).replace("\n", "").isprintable()


def test_problems_are_told_once_and_in_order_of_file_and_place() -> None:
    later, earlier = Problem("b", 1, 1, "", "x"), Problem("a", 9, 1, "", "x")
    first = Problem("a", 2, 7, "", "x")
    assert PolicyErrors([later, earlier, first, later]).problems == (first, earlier, later)


def test_of_one_file_a_hundred_are_told_and_that_there_are_more() -> None:
    told = PolicyErrors([*(Problem("a", n, 1, "", "x") for n in range(1, 500)), Problem("b", 1, 1, "", "x")]).problems
    assert len(told) == MOST_IN_A_FILE + 2
    assert told[MOST_IN_A_FILE] == Problem("a", MOST_IN_A_FILE + 1, 1, "", "more problems follow in this file")
    assert told[-1].path == "b"


def test_of_many_files_a_thousand_are_told_and_that_there_are_more() -> None:
    told = PolicyErrors(Problem(f"{n:05}", 1, 1, "", "x") for n in range(5000)).problems
    assert len(told) == MOST_PROBLEMS + 1
    assert told[-1].message == "more problems follow in this and later files"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        (5, "the number 5"),
        (1.5, "the number 1.5"),
        ("five", "the text 'five'"),
        ("", "an empty text"),
        ([], "an empty list"),
        ((1,), "a list"),
        ({}, "an empty mapping"),
        ({"a": 1}, "a mapping"),
    ],
)
def test_values_are_described_as_people_call_them(value: object, words: str) -> None:
    assert described(value) == words


def test_a_long_text_is_quoted_short() -> None:
    assert quoted("x" * 1_000_000) == f"'{'x' * 77}...'"
    assert quoted("x" * 80) == f"'{'x' * 80}'"
    assert printable("a\nb\x00") == "a?b?"


def test_the_nearest_known_word_is_offered() -> None:
    assert did_you_mean("alowed", ["allowed", "denied"]) == "; did you mean 'allowed'?"
    assert did_you_mean("zzz", ["b", "a"]) == "; known here: a, b"
    assert did_you_mean("zzz", [f"word-{n}" for n in range(13)]) == ""


def test_among_very_many_words_the_nearest_is_still_offered() -> None:
    assert did_you_mean("tool-04321x", [f"tool-{n:05}" for n in range(10_000)]).startswith("; did you mean 'tool-0")
    assert did_you_mean("stripe-paymens", [*(f"tool-{n}" for n in range(5000)), "stripe-payments"]) == (
        "; did you mean 'stripe-payments'?"
    )
