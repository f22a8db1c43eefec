"""A description is read as whoever wrote it meant it: YAML 1.2, of which JSON is a part."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.openapi.entry import Choice, entry_of
from aegis_authz.policy.openapi.text import TextUnreadable, document_of


def read(text: str) -> Any:
    return document_of(text.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("2024-01-01", "2024-01-01"),
        ("12:30:45", "12:30:45"),
        ("0o17", "0o17"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-7", -7),
        ("1.5", 1.5),
        ("1.0e+3", 1000.0),
        ("'7'", "7"),
    ],
)
def test_a_plain_text_is_what_json_would_have_there_and_else_a_text(text: str, value: object) -> None:
    assert read(f"a: {text}\n") == {"a": value}


def test_keys_are_texts() -> None:
    assert read("200: a\nno: b\ntrue: c\nnull: d\n1.5: e\n") == {
        "200": "a",
        "no": "b",
        "true": "c",
        "null": "d",
        "1.5": "e",
    }


def test_what_is_written_once_may_be_used_twice() -> None:
    assert read("a: &a {b: 1}\nc: {<<: *a, d: 2}\n") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_parameters_called_no_and_on_are_taken_over() -> None:
    text = """
openapi: 3.0.3
servers: [{url: https://shop.example}]
paths:
  /orders:
    get:
      parameters: [{name: no, in: query, schema: {type: string}}]
      responses: {200: {description: ok}}
    post:
      requestBody: {content: {application/json: {schema: {properties: {on: {enum: [yes, no]}}}}}}
"""
    imported: Any = entry_of(read(text), Choice()).document["actions"]
    assert [action["parameters"] for action in imported.values()] == [
        {"no": {"from": "?no", "type": "string"}},
        {"on": {"from": "/on", "type": "string"}},
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("a: [", "neither JSON nor YAML"),
        ("- 1", "a mapping is needed"),
        ("? [1]\n: 2\n", "neither JSON nor YAML"),
        ("a: !!python/name:os.system x", "neither JSON nor YAML"),
        ("a: " + "[" * 200_000, "nested too deeply"),  # which ended the process
        ("- " * 20_000, "nested too deeply"),
        (
            "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
            "too large",
        ),
    ],
    ids=lambda words: words[:16],
)
def test_what_is_no_description_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(TextUnreadable, match=sentence):
        read(text)


TEXTS = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_as_json_reads_alike_in_yaml(document: dict[str, Any]) -> None:
    assert document_of(json.dumps(document).encode()) == document
    assert document_of(b"# yaml\n" + yaml.safe_dump(document, allow_unicode=True).encode()) == document


@given(st.text(max_size=60))
def test_whatever_the_text_it_is_a_mapping_or_is_refused(text: str) -> None:
    try:
        document = document_of(text.encode("utf-8", "replace"))
    except TextUnreadable:
        return
    assert all(isinstance(key, str) for key in document)
