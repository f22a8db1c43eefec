"""Texts that are too much: each is refused, or read, in bounded time and memory, and nothing but PolicyErrors comes out.

The hostile texts are read in a process of their own that may use little processor time and memory: one that does not
come back with an answer has used up either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.json_value import Json
from aegis_authz.core.release import MAX_FILES, MAX_SOURCE_BYTES
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import MOST_IN_A_FILE, MOST_PROBLEMS, PolicyErrors
from aegis_authz.policy.source.reader import read_source
from tests.support.bounded_loading import BoundedLoading

TOOLS = """\
tool: pay
host: pay.example
actions:
  send:
    match: POST /v1/payments
    parameters: {amount: {from: /amount, type: number}, payee: {from: /payee, type: string}}
"""
START = "agent: a\nallowed_tools:\n  - name: pay\n    actions: [send]\n    conditions:\n      parameters:\n"

Answers = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    """What loading the `policies` and `tools` that a program makes says, in little time and memory."""
    with BoundedLoading() as loading:
        yield lambda program: loading.answers(f"tools = {{'t.yaml': {TOOLS!r}}}\nstart = {START!r}\n{program}")


def policy(text: str) -> str:
    return f"policies = {{'p.yaml': {text}}}"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (policy("start + '        payee: {matches: \"' + 'a' * 1_000_000 + '\"}\\n'"), "is longer than 4096 characters"),
        (policy("start + '        payee: {matches: \"' + '(a|b)*' * 150_000 + '\"}\\n'"), "is longer than 4096 characters"),
        (policy("start + '        payee: {matches: \"' + '(' * 4000 + ')' * 90 + '\"}\\n'"), "is not an RE2 pattern"),
        (policy("start + '        payee: {matches: \"((a{100}){100}){100}\"}\\n'"), "is not an RE2 pattern"),
        (policy("'a: ' + '[' * 200 + ']' * 200"), "p.yaml:1:67: nested more than 64 levels deep"),
        (policy("'a: ' + '{a: ' * 200 + '1' + '}' * 200"), "nested more than 64 levels deep"),
        (policy("''.join(' ' * n + 'a:\\n' for n in range(200))"), "nested more than 64 levels deep"),
        (policy("''.join('- ' * 200 + 'a\\n')"), "nested more than 64 levels deep"),
        (policy("'[' * 1_000_000"), "nested more than 64 levels deep"),
        (policy("'{' * 1_000_000"), "a key must be a text"),
        (policy("'? ' * 500_000"), "a key must be a text"),
        ("policies = {'p.json': '[' * 1_000_000}", "nested more than 64 levels deep"),
        ("policies = {'p.json': '[' * 1000 + ']' * 1000}", "nested more than 64 levels deep"),
        ("policies = {'p.json': '{\"a\": ' + '9' * 100_000 + '}'}", "the integer does not fit 64 bits"),
        (policy("'a: ' + '9' * 1_000_000"), "the integer does not fit 64 bits"),
        (policy("'a: 1.' + '9' * 1_000_000"), "unknown key 'a'"),
        (policy("'a: ' + '1:' * 500_000"), "is read differently"),
        (policy("'a: ' + '-' * 1_000_000"), "unknown key 'a'"),
        (policy("'agent: ' + 'x' * 1_000_000"), "must be lower-case letters and digits"),
        (policy("'x' * 1_000_000 + ': 1'"), "not YAML"),
        (policy("'\"' + 'x' * 1_000_000 + '\": 1'"), "not YAML"),
        (policy("'a: |\\n' + '  x\\n' * 250_000"), "unknown key 'a'"),
        (policy("'a: \"' + 'x' * 2_000_000 + '\"'"), "larger than 1048576 bytes"),
        (policy("'é' * 600_000"), "larger than 1048576 bytes"),
        (policy("'{' + ', '.join(f'k{n}' for n in range(125_000)) + '}'"), "more than 100000 keys and values"),
        (policy("'[' + ',' .join('1' * 500_000) + ']'"), "more than 100000 keys and values"),
        (policy("'\\n'.join(f'k{n}: 1' for n in range(49_000))"), "unknown key 'k0'"),
        (policy("'agent: a\\n' + '\\n'.join(f'max_{n}: 1' for n in range(45_000))"), "unknown key 'max_0'"),
        (policy("'a: 1\\n' * 170_000"), "a: given twice; first on line 1"),
        (policy("'agent: a\\nagent:\\n' + '  - [x, x]\\n' * 20_000"), "agent: given twice"),
        (policy("'a: &a [x]\\n' + ''.join(f'b{n}: [*a, *a, *a]\\n' for n in range(30_000))"), "anchors (&name)"),
        (policy("'- *a\\n' * 200_000"), "aliases (*name) are not allowed"),
        (policy("'- !!x a\\n' * 100_000"), "tags (!name) are not allowed"),
        (policy("'- yes\\n' * 150_000"), "'yes' is read differently"),
        (policy("'---\\n' * 260_000"), "loaded 0"),
        (policy("'---\\na: yes\\n' * 90_000"), "'yes' is read differently"),
        (policy("'--- {agent: a}\\n' * 60_000"), "another document is called '*/*/a'"),
        (policy("'#' * 1_000_000"), "loaded 0"),
        (policy("'%x\\n' * 250_000"), "not YAML"),
        (policy("'\\t' * 1_000_000"), "tabs are not allowed"),
        (policy("'\\ufeff' * 300_000"), "byte order mark"),
        (policy("'a: \\0'"), "holds a zero byte"),
        (policy("'agent: a'.encode('utf-16').decode('latin-1')"), "holds a zero byte"),
        (policy("'agent: \\udc80'"), "p.yaml:1:8: not UTF-8"),
    ],
)  # fmt: skip
def test_a_text_that_is_too_much_is_answered_in_bounded_time_and_memory(
    answers: Answers, program: str, expected: str
) -> None:
    assert any(expected in line for line in answers(program))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        # references that would be written out a thousand million times
        (policy("start.replace('parameters:', 'schema:') + '        {$ref: \"#/$defs/d0\", $defs: {' + ', '.join("
                "f'd{n}: {{allOf: [{\", \".join([chr(123) + chr(36) + \"ref: \" + chr(34) + \"#/$defs/d\" + str(n + 1) + "
                "chr(34) + chr(125)] * 30)}]}}' for n in range(12)) + ', d12: {type: object}}}\\n'"),
         "has more than 10000 parts, its references written out"),
        (policy("start + '        payee: {in: [' + ', '.join(f'v{n}' for n in range(40_000)) + '], approval_needed_in: ["
                "' + ', '.join(f'v{n}' for n in range(40_000)) + ']}\\n'"), "loaded 1"),
        (policy("start + '        payee: {in: [' + ', '.join(['v'] * 90_000) + ']}\\n'"), "names something twice"),
        (policy("'define: {detectors: {s: [d]}}\\n---\\n' + start.partition('    conditions')[0] + "
                "'    sanitize: {response: {detectors: [s, ' + ', '.join(f'd{n}' for n in range(90_000)) + ']}}\\n'"),
         "loaded 1"),
        (policy("start + ''.join(f'        p{n}: {{in: {{list: l{n}}}}}\\n' for n in range(15_000))"),
         "no list 'l0' is defined"),
        (policy("start + ''.join(f'        p{n}: {{min: 1}}\\n' for n in range(20_000))"), "declares no parameter 'p0'"),
        ("tools = {'t.yaml': 'tool: t\\nhost: t.example\\nactions:\\n' + "
         + "''.join(f'  a{n}: {{match: GET /v/{n}}}\\n' for n in range(20_000))}", "loaded 0"),
        ("policies = {f'{n:05}.yaml': f'agent: a{n}\\nallowed_tools: [{{name: tol{n}, actions: [x]}}]\\n' "
         + "for n in range(3000)}\n"
         + "tools = {'t.yaml': '---\\n'.join(f'tool: tool{n}\\nhost: h{n}.example\\nmcp: {{}}\\n' for n in range(3000))}",
         "no tool 'tol0' in the catalogue; did you mean"),
    ],
)  # fmt: skip
def test_what_grows_faster_than_its_text_is_answered_in_bounded_time_as_well(
    answers: Answers, program: str, expected: str
) -> None:
    assert any(expected in line for line in answers(program))


def test_ten_thousand_documents_are_loaded_in_bounded_time_and_memory(answers: Answers) -> None:
    program = "policies = {f'{n}.yaml': start.replace('agent: a', f'agent: a{n}') + '        amount: {max: 5}\\n' for n in range(10_000)}"
    assert answers(program) == ["loaded 10000"]
    assert MAX_FILES >= 10_000
    assert MAX_SOURCE_BYTES >= 10_000 * 2048


@pytest.mark.parametrize(
    "program",
    ["'x' * 2_000_000_000", "tools = 1 / 0"],
    ids=["large", "broken"],
)
def test_what_takes_too_much_or_breaks_has_no_answer(answers: Answers, program: str) -> None:
    with pytest.raises(AssertionError, match="it ended with 1"):
        answers(program)


def test_what_is_told_of_very_many_mistakes_is_bounded() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": "".join(f"k{n}: 1\n" for n in range(20_000))}, {})
    assert len(caught.value.problems) <= MOST_IN_A_FILE + 1
    with pytest.raises(PolicyErrors) as caught:
        load({f"{n}.yaml": "agent: a\nk: 1\n" for n in range(2000)}, {})
    assert len(caught.value.problems) == MOST_PROBLEMS + 1


EXAMPLE = """\
define:
  lists: {suppliers: [ACME, Globex], days: [2026-12-25]}
  patterns: {iban: "[A-Z]{2}[0-9]{2}"}
  time_windows: {office: {zone: Europe/Berlin, weekdays: [mon], holidays: {list: days}}}
  approvers: {finance: {groups: [finance-approvers], expires_in: 3600}}
  detectors: {identifiers: [us_ssn]}
---
template: house
denied_tools:
  - {name: pay, actions: [send], conditions: {parameters: {payee: {equals: Evil}}}}
---
org: acme
agent: finance-*
extends: house
regions: [eu]
allowed_tools:
  - name: pay
    actions: [send]
    conditions:
      max_amount: 5000
      approval_needed_over: 500
      parameters:
        payee: {in: {list: suppliers}, else: approval_needed}
        /payee/iban: [{matches: {pattern: iban}}, {length: {max: 34}}]
      context: {time: {within: [office, {hours: "09:00-17:00"}]}, source: {in_ranges: [10.0.0.0/8]}}
      schema: {type: object, required: [amount], $defs: {a: {type: string}}}
    sanitize: {response: {detectors: [identifiers], fields: [/notes]}}
    approval: {approvers: finance}
    obligations: {set_headers: [{name: x-team, value: pay}]}
egress: {default: deny, allow: [a.example, {host: "*.b.example", ports: [443]}]}
"""
_PIECES = st.sampled_from(
    ["", " ", "  ", "\n", "- ", ": ", "{", "}", "[", "]", ",", "'", '"', "~", "yes", "5", "-1", "1e999", "&a ", "*a",
     "!!x ", "<<: *a", "\t", "---\n", "\x00", "\ud800", "{list: days}", "[office]", "a", "null", "$ref", "é", "%", "|\n", "|"]
)  # fmt: skip


def only_policy_errors(policies: dict[str, str], tools: dict[str, str]) -> None:
    try:
        load(policies, tools, {"us_ssn", "iban"})
    except PolicyErrors as errors:
        assert errors.problems
        assert all(problem.message and problem.line >= 1 and problem.column >= 1 for problem in errors.problems)
        assert str(errors).replace("\n", "").isprintable()


@given(st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 12), _PIECES), min_size=1, max_size=4))
def test_a_mutated_document_is_loaded_or_refused(cuts: list[tuple[int, int, str]]) -> None:
    text = EXAMPLE
    for at, length, piece in cuts:
        text = text[:at] + piece + text[at + length :]
    only_policy_errors({"p.yaml": text}, {"t.yaml": TOOLS})


@given(st.lists(st.tuples(st.integers(0, len(TOOLS)), st.integers(0, 12), _PIECES), min_size=1, max_size=4))
def test_a_mutated_catalogue_is_loaded_or_refused(cuts: list[tuple[int, int, str]]) -> None:
    text = TOOLS
    for at, length, piece in cuts:
        text = text[:at] + piece + text[at + length :]
    only_policy_errors({"p.yaml": EXAMPLE}, {"t.yaml": text})


@given(st.data())
def test_an_example_with_any_value_at_any_place_is_loaded_or_refused(data: st.DataObject) -> None:
    documents = [document.value for document in read_source("p.yaml", EXAMPLE)[0]]
    strange = st.recursive(
        st.none() | st.booleans() | st.integers(-9, 2**63) | st.floats(allow_nan=False) | st.sampled_from(["", "a", "office", "*"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
        max_leaves=6,
    )  # fmt: skip
    whole: object = documents
    target, key = whole, data.draw(_member(documents))
    while data.draw(st.booleans()) and isinstance(inner := target[key], dict | list) and inner:  # type: ignore[index]
        target, key = inner, data.draw(_member(inner))
    target[key] = data.draw(strange)  # type: ignore[index]
    only_policy_errors({"p.yaml": "\n---\n".join(json.dumps(one) for one in documents)}, {"t.yaml": TOOLS})


def _member(value: dict[str, Json] | list[Json]) -> st.SearchStrategy[str | int]:
    return st.sampled_from(list(value)) if isinstance(value, dict) else st.integers(0, len(value) - 1)


_WORDS = [
    "list",
    "pattern",
    "approvers",
    "detectors",
    "within",
    "holidays",
    "name",
    "actions",
    "in",
    "matches",
    "parameter",
    "every",
    "at",
    "schema",
    "$ref",
    "$defs",
    "allOf",
    "max_amount",
    "parameters",
    "context",
    "time",
    "define",
    "lists",
    "template",
    "extends",
    "agent",
    "conditions",
]


@given(st.text(max_size=300))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    only_policy_errors({"p.yaml": text, "q.json": text}, {"t.yaml": text, "u.json": text})
