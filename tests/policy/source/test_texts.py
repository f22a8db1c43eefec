"""Texts that are refused before anything is read, each with its place."""

from __future__ import annotations

import pytest

from aegis_authz.policy.source.texts import MAX_BYTES, refused_text


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("\ufeffagent: a", (1, 1), "begins with a byte order mark (U+FEFF); save the file as UTF-8 without one"),
        ("agent: a\ufeff", (1, 9), "the character U+FEFF is not allowed"),
        ("a: 1\nb: \x00", (2, 4), "holds a zero byte (U+0000): this is no text, or UTF-16; save the file as UTF-8"),
        ("a: 1\r\n\tb: 2", (2, 1), "tabs are not allowed in the indentation; use spaces"),
        ("a:\tb", (1, 3), "tabs are not allowed; use spaces"),
        ("a: x\u200by", (1, 5), "the character U+200B is not allowed"),
        ("a: \x1b[0m", (1, 4), "the character U+001B is not allowed"),
        ("a: 1\nb: \udc80", (2, 4), "not UTF-8"),
        ("a" * (MAX_BYTES + 1), (1, 1), f"larger than {MAX_BYTES} bytes; put it into several files"),
    ],
)
def test_what_no_file_may_hold_is_named_with_its_place(text: str, place: tuple[int, int], message: str) -> None:
    problem = refused_text("p.yaml", text)
    assert problem is not None
    assert ((problem.line, problem.column), problem.message) == (place, message)


def test_a_file_may_be_as_large_as_allowed_and_hold_any_language() -> None:
    assert refused_text("p.yaml", "a" * MAX_BYTES) is None
    assert refused_text("p.yaml", "owner: Zoë 支払い 💶\r\n") is None


def test_only_files_named_json_must_be_json() -> None:
    assert refused_text("p.yaml", "a: 1") is None
    assert refused_text("p.json", '{"a": 1}') is None
    problem = refused_text("p.JSON", "a: 1")
    assert problem is not None
    assert problem.message == "not JSON: expecting value"
