"""One layout for documents, in which nothing they say is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aegis_authz.policy.format import formatting
from aegis_authz.policy.format.formatting import formatted, is_ours
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import read_source

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "policies").rglob("*.yaml"))

_WORDS = st.sampled_from(
    ["a", "b c", "name", "x, y", "[z", "http://h:80/p", "10", "true", "'q #1'", '"d: # 2"', "it's"]
)
_KEYS = st.sampled_from(
    ["agent", "org", "allowed_tools", "name", "actions", "conditions", "max_amount", "parameters", "'k k'", "define"]
)
_REMARKS = st.sampled_from(["# one", "#two", "# three: 3", "# - four", "#"])


@st.composite
def _written(draw: st.DrawFn) -> str:
    """A file of documents in anybody's layout."""
    documents = ["".join(f"{line}\n" for line in _mapping(draw, 0, 3)) for _ in range(draw(st.integers(1, 2)))]
    return draw(st.sampled_from(["", "# top\n", "# top\n\n", "---\n"])) + "---\n".join(documents)


def _mapping(draw: st.DrawFn, indent: int, depth: int) -> list[str]:
    lines: list[str] = []
    for key in draw(st.lists(_KEYS, min_size=1, max_size=4, unique=True)):
        lines += _before(draw, indent)
        lines += _held(draw, " " * indent + key + ":", indent, depth)
    return [*lines, *_after(draw, indent)]


def _list(draw: st.DrawFn, indent: int, depth: int) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        lines += _before(draw, indent)
        if depth > 0 and draw(st.booleans()):
            inner = draw(st.integers(2, 4))
            nested = (_mapping if draw(st.booleans()) else _list)(draw, indent + inner, depth - 1)
            if nested[0].strip() and not nested[0].lstrip().startswith("#"):
                nested[0] = " " * indent + "-" + " " * (inner - 1) + nested[0].lstrip()
            else:
                nested.insert(0, " " * indent + "-" + _beside(draw))
            lines += nested
        else:
            lines += _held(draw, " " * indent + "-", indent, 0)
    return [*lines, *_after(draw, indent)]


def _held(draw: st.DrawFn, lead: str, indent: int, depth: int) -> list[str]:
    plain = ["word", "flow", "text", "long"]
    kind = draw(st.sampled_from([*plain, "mapping", "list"] if depth > 0 else plain))
    deeper = indent + draw(st.integers(1, 4))
    if kind == "mapping":
        return [lead + _beside(draw), *_mapping(draw, deeper, depth - 1)]
    if kind == "list":
        same = draw(st.booleans()) and not lead.lstrip().startswith("-")
        return [lead + _beside(draw), *_list(draw, indent if same else deeper, depth - 1)]
    if kind == "text":
        header = draw(st.sampled_from(["|", "|-", "|+", ">", ">-", ">+"]))
        body = draw(st.lists(st.sampled_from(["some", "# no remark", "  deeper", "", "last "]), max_size=3))
        return [f"{lead} {header}{_beside(draw)}", " " * deeper + "first", *(" " * deeper + line for line in body)]
    if kind == "long":
        quote = draw(st.sampled_from(["", '"', "'"]))
        gap = [""] if draw(st.booleans()) else []
        return [f"{lead} {quote}one two", *gap, f"{' ' * deeper}three{quote}{_beside(draw)}"]
    if kind == "flow":
        return (lead + " " + _flow(draw, 2, " " * deeper) + _beside(draw)).split("\n")
    return [f"{lead} {draw(_WORDS)}{_beside(draw)}".replace(": it's", ": its")]


def _flow(draw: st.DrawFn, depth: int, margin: str) -> str:
    parts = []
    mapping = draw(st.booleans())
    for key in draw(st.lists(_KEYS, max_size=3, unique=True)):
        nested = depth > 0 and draw(st.booleans())
        inner = _flow(draw, depth - 1, margin) if nested else draw(st.sampled_from(["a", "1", '"x, y"', "b c"]))
        parts.append(f"{key}: {inner}" if mapping else inner)
    gap = draw(st.sampled_from([", ", f",\n{margin}", f", # in\n{margin}", f",\n{margin}# own\n{margin}"]))
    start = draw(st.sampled_from(["", "", f"\n{margin}", f" # begun\n{margin}", f"\n{margin}# own\n{margin}"]))
    opening, closing = "{}" if mapping else "[]"
    return opening + start + gap.join(parts) + closing


def _beside(draw: st.DrawFn) -> str:
    return f"  {draw(_REMARKS)}" if draw(st.integers(0, 4)) == 0 else ""


def _before(draw: st.DrawFn, indent: int) -> list[str]:
    return draw(st.sampled_from([[], [], [], [""], [" " * indent + "# about"], ["", "# left", ""]]))


def _after(draw: st.DrawFn, indent: int) -> list[str]:
    return draw(st.sampled_from([[], [], [], [" " * indent + "# last"], [" " * (indent + 1) + "# deeper"], [""]]))


def _values(text: str) -> list[str]:
    documents, problems = read_source("a.yaml", text)
    assert problems == []
    return [json.dumps(document.value, sort_keys=True) for document in documents]


def _remarks(text: str) -> list[str]:
    """Every comment the generator writes, none of which stands inside a text."""
    return sorted(re.findall(r"# (?:top|one|three: 3|about|left|last|deeper|in|own|begun)$|#two$", text, re.MULTILINE))


def _written_anew(text: str, path: str = "a.yaml") -> str:
    written = formatted(path, dedent(text))
    assert formatted(path, written) == written
    return written


@settings(max_examples=150, deadline=None)
@given(_written())
def test_what_documents_say_and_every_comment_stay(text: str) -> None:
    assume(not read_source("a.yaml", text)[1])
    written = formatted("a.yaml", text)
    assert _values(written) == _values(text)
    assert _remarks(written) == _remarks(text)
    assert formatted("a.yaml", written) == written


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_documents_mean_the_same_written_anew(path: Path) -> None:
    text = path.read_text()
    assert _values(_written_anew(text)) == _values(text)


def test_members_stand_in_the_order_of_the_reference_and_two_columns_deep() -> None:
    assert _written_anew("""
        allowed_tools:
        - conditions:
              parameters: {payee: {else: approval_needed, in: [ACME]}}
              max_amount: 10
          actions: [pay]
          name: stripe
        agent:   a
        org: acme
        """) == dedent("""\
        org: acme
        agent: a
        allowed_tools:
          - name: stripe
            actions: [pay]
            conditions:
              max_amount: 10
              parameters: {payee: {in: [ACME], else: approval_needed}}
        """)


def test_names_somebody_chose_and_json_schemas_keep_their_order() -> None:
    text = dedent("""\
        define:
          lists:
            zulu: [1]
            alpha: [2]
        ---
        agent: a
        allowed_tools:
          - name: t
            actions: ["*"]
            conditions:
              schema:
                required: [x]
                type: object
        """)
    assert _written_anew(text) == text


def test_unknown_members_come_last() -> None:
    assert _written_anew("agnt: 1\nagent: a\n") == "agent: a\nagnt: 1\n"


def test_short_lists_stand_in_brackets_and_long_ones_do_not() -> None:
    words = [f"a-rather-long-word-{number}" for number in range(8)]
    text = "agent: a\nregions:\n  - eu\n  - us\n"
    assert _written_anew(text) == "agent: a\nregions: [eu, us]\n"
    assert _written_anew(f"agent: a\nregions: [{', '.join(words)}]") == "".join(
        ["agent: a\nregions:\n", *(f"  - {word}\n" for word in words)]
    )


def test_a_word_that_brackets_would_cut_in_two_keeps_its_line() -> None:
    text = "define:\n  lists:\n    payees:\n      - Smith, Sons\n      - ACME\n"
    assert _written_anew(text) == text


def test_a_mapping_stays_in_the_braces_its_writer_chose_or_did_not() -> None:
    text = "agent: a\nallowed_tools:\n  - {name: t, actions: [x]}\n  - name: u\n    actions: [z]\n"
    assert _written_anew(text) == text


def test_comments_stay_with_their_lines() -> None:
    assert _written_anew("""
        # of the document
        agent: a   # who
        # where
        org: acme
        allowed_tools:
          # the first
          - actions: [x]     # which
            # which tool
            name: t
            # a last remark on the first
          # a last remark on all
        # the end
        """) == dedent("""\
        # of the document
        # where
        org: acme
        agent: a  # who
        allowed_tools:
          # the first
          # which tool
          - name: t
            actions: [x]  # which
            # a last remark on the first
          # a last remark on all
        # the end
        """)


def test_a_comment_within_brackets_gives_each_item_its_line() -> None:
    assert (
        _written_anew("""
        agent: a
        regions: [eu,  # here
          # and there
          us]
        """)
        == "agent: a\nregions:\n  - eu  # here\n  # and there\n  - us\n"
    )


def test_a_comment_within_empty_brackets_is_kept() -> None:
    assert (
        _written_anew("""
        agent: a
        allowed_tools: [
          # none yet
        ]
        """)
        == "agent: a\n# none yet\nallowed_tools: []\n"
    )


def test_comments_of_neighbouring_lines_begin_in_one_column() -> None:
    assert _written_anew("agent: a # x\norg: acme-corp # y\n") == "org: acme-corp  # y\nagent: a        # x\n"


def test_a_schema_line_stays_the_first() -> None:
    text = "# yaml-language-server: $schema=a.json\nagent: a\norg: b\n"
    assert _written_anew(text).startswith("# yaml-language-server: $schema=a.json\n")


def test_one_blank_line_stays_and_more_do_not() -> None:
    assert _written_anew("\n\nagent: a\n\n\n\nmode: shadow\n\n\n") == "agent: a\n\nmode: shadow\n"


def test_texts_of_several_lines_keep_every_character() -> None:
    text = "agent: a\ndescription: >-\n    one\n      two\n\n    # no comment\nregions: [eu]\n"
    assert _written_anew(text) == ("agent: a\ndescription: >-\n  one\n    two\n\n  # no comment\nregions: [eu]\n")
    for body in ("|+\n  x\n\n", "|2\n   x\n", "|\n  x", '"a\\\n   b"', "'a\n\n  b'"):
        whole = f"owner: o\ndescription: {body}"
        assert _values(_written_anew(whole)) == _values(whole)


def test_a_text_that_takes_the_blank_lines_after_it_gets_no_more_of_them() -> None:
    text = "description: |+\n  x\n\nagent: a\n\nregions: [eu]\n# end\n"
    assert _values(_written_anew(text)) == _values(text)


def test_documents_of_a_file_keep_their_order_and_their_comments() -> None:
    assert _written_anew("---\n# one\nagent: a\n...\n# between\n---\n---\n# two\nagent: b\n") == (
        "# one\nagent: a\n# between\n---\n# two\nagent: b\n"
    )


def test_line_breaks_of_windows_become_newlines() -> None:
    assert _written_anew("agent: a  # x\r\norg: b\r\n") == "org: b\nagent: a  # x\n"


def test_json_stays_json() -> None:
    text = '{"allowed_tools": [{"actions": ["x"], "name": "t"}],\n "agent": "a", "egress": {}}'
    written = _written_anew(text, "a.json")
    assert json.loads(written) == json.loads(text)
    assert written.splitlines()[:2] == ["{", '  "agent": "a",']
    assert '[{"name": "t", "actions": ["x"]}]' in written


def test_nothing_is_written_of_a_file_that_cannot_be_read() -> None:
    with pytest.raises(PolicyErrors) as errors:
        formatted("a.yaml", "agent: a\nmode: on\n")
    (problem,) = errors.value.problems
    assert (problem.path, problem.line, problem.column) == ("a.yaml", 2, 7)


def test_a_file_is_left_alone_where_its_meaning_would_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_settled", lambda path, text, kinds: text.replace("acme", "other"))
    with pytest.raises(PolicyErrors, match="left as it is"):
        formatted("a.yaml", "agent: a\norg: acme\n")


def test_a_file_is_left_alone_where_a_comment_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting, "_settled", lambda path, text, kinds: text.partition(" #")[0])
    with pytest.raises(PolicyErrors, match="left as it is"):
        formatted("a.yaml", "agent: a # why")


def test_a_key_over_several_lines_is_left_alone() -> None:
    with pytest.raises(PolicyErrors, match="left as it is"):
        formatted("a.yaml", '? "a\n  b"\n: 1\nagent: a\n')


def test_files_of_other_programs_are_none_of_ours() -> None:
    assert is_ours("a.yaml", "agent: a\n")
    assert is_ours("a.yaml", "denied_tools: []\n")
    assert is_ours("a.yaml", "agent: a\nmode: on\n")
    assert not is_ours("a.yaml", "services: {web: {image: nginx}}\n")
    assert not is_ours("a.json", '{\t"scripts": {}}')
