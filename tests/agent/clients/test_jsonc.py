from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.agent.clients import jsonc

SETTINGS = """\
// mine
{
    "theme": "dark", /* do not touch */
    "mcpServers": {
        // the good one
        "old": { "command": "npx", "args": ["-y", "x"] }, // trailing
    },
    "size": 1.50,
}
"""


def test_settings_with_comments_are_read() -> None:
    assert jsonc.parse(SETTINGS).value == {
        "theme": "dark",
        "mcpServers": {"old": {"command": "npx", "args": ["-y", "x"]}},
        "size": 1.5,
    }


def test_a_new_member_comes_last_and_all_else_stays_letter_for_letter() -> None:
    after = jsonc.with_member(SETTINGS, ["mcpServers", "new"], {"command": "aegis"})
    assert after == SETTINGS.replace(
        '"args": ["-y", "x"] },',
        '"args": ["-y", "x"] },\n        "new": {\n            "command": "aegis"\n        }',
    )


def test_a_value_is_replaced_where_it_stands() -> None:
    after = jsonc.with_member(SETTINGS, ["mcpServers", "old"], {"command": "aegis"})
    assert after == SETTINGS.replace(
        '{ "command": "npx", "args": ["-y", "x"] }', '{\n            "command": "aegis"\n        }'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "a": {\n    "b": 1\n  }\n}'),
        ("{\n}\n", '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ('{\n\t"x": 1\n}', '{\n\t"x": 1,\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
        ('{\r\n  "x": 1\r\n}', '{\r\n  "x": 1,\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}'),
        ("{ // nothing yet\n}", '{ // nothing yet\n  "a": {\n    "b": 1\n  }\n}'),
        ('{"x": 1}', '{"x": 1, "a": {\n  "b": 1\n}}'),
    ],
)
def test_what_is_missing_on_the_way_is_made_in_the_documents_own_style(before: str, after: str) -> None:
    assert jsonc.with_member(before, ["a", "b"], 1) == after


def test_a_member_is_taken_away_with_its_comma() -> None:
    text = '{\n  "a": 1,\n  "b": 2, // two\n  "c": 3\n}'
    assert jsonc.without_member(text, ["a"]) == '{\n  "b": 2, // two\n  "c": 3\n}'
    assert jsonc.parse(jsonc.without_member(text, ["c"])).value == {"a": 1, "b": 2}
    assert jsonc.without_member('{"a": {"b": 1}}', ["a", "b"]) == '{"a": {}}'
    assert jsonc.without_member(text, ["d"]) == jsonc.without_member(text, ["d", "e"]) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: no value"),
        ('{"a": 1', "line 1: neither a comma nor }"),
        ('{\n"a" 1}', "line 2: no colon"),
        ('{"a": 1, "a": 2}', "'a' is named twice"),
        ("{'a': 1}", "no text in double quotes"),
        ('{"a": tru}', "no value"),
        ('{"a": "\n"}', "no text in double quotes"),
        ('{"a": "\\x"}', "wrong escape"),
        ("{} {}", "more than one document"),
        ("[" * 200, "nested too deeply"),
        ('{"a": 01}', "no value"),
        ("/* open", "no value"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        jsonc.parse(text)


def test_a_way_through_something_else_than_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="mcpServers is not an object"):
        jsonc.with_member('{"mcpServers": []}', ["mcpServers", "x"], 1)


def test_long_white_space_and_comments_do_not_take_long() -> None:
    jsonc.parse("{" + " " * 200_000 + "/* " + "*" * 200_000 + " */}")
    jsonc.with_member('{"a": 1' + "\n" * 200_000 + "}", ["b"], 1)


NAMES = st.text('abc "\\/ü\n', min_size=1, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\ü\n//', max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), NAMES, VALUES, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_changing_one_member_changes_that_one(
    document: dict[str, object], name: str, value: object, indent: int | str | None, is_crlf: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    text = text.replace("\n", "\r\n") if is_crlf else text
    changed = jsonc.with_member(text, [name], value)  # type: ignore[arg-type]  # JSON
    assert json.loads(changed) == {**document, name: value}
    assert jsonc.parse(changed).value == json.loads(changed)
    removed = {other: entry for other, entry in document.items() if other != name}
    assert json.loads(jsonc.without_member(changed, [name])) == removed
