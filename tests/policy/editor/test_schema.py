"""The schemas editors are given: what the language takes they take, and typos they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from aegis_authz.core.json_value import Json
from aegis_authz.lab.case_schema import any_schema, case_schema
from aegis_authz.policy.editor.descriptions import DESCRIPTIONS
from aegis_authz.policy.editor.schema import policy_schema, tool_schema
from aegis_authz.policy.source.reader import read_source

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "policies").rglob("*.yaml"))
SCHEMAS: Mapping[str, dict[str, Json]] = {"policy": policy_schema(), "tool": tool_schema(), "test": case_schema()}
ANY = any_schema()
RULE = "agent: a\nallowed_tools:\n  - name: t\n    actions: [x]\n"
CONDITIONS = f"{RULE}    conditions:\n"


def _documents(text: str) -> list[dict[str, Json]]:
    documents, problems = read_source("a.yaml", text)
    assert problems == []
    return [document.value for document in documents if isinstance(document.value, dict)]


def _kind(document: Mapping[str, Json]) -> str:
    return "tool" if "tool" in document or "prices" in document else "test" if "tests" in document else "policy"


def _accepted(text: str) -> bool:
    """What the schema of its kind says of a text, and what the schema of everything says, too."""
    told = {
        (
            Draft202012Validator(SCHEMAS[_kind(document)]).is_valid(document),
            Draft202012Validator(ANY).is_valid(document),
        )
        for document in _documents(text)
    }
    (both,) = told
    assert both[0] == both[1]
    return both[0]


def _examples() -> Iterator[str]:
    """The documents of the reference."""
    page = (ROOT / "docs" / "policy-reference.md").read_text()
    for block in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if re.match(r"(org|define|agents|trust|tool|tests):", block):
            yield block


def _members(schema: Mapping[str, Json]) -> Iterator[tuple[str, str, Mapping[str, Json]]]:
    parts = schema["$defs"]
    assert isinstance(parts, dict)
    for name, part in parts.items():
        assert isinstance(part, dict)
        members = part.get("properties", {})
        assert isinstance(members, dict)
        for member, inner in members.items():
            assert isinstance(inner, dict)
            yield name, member, inner


@pytest.mark.parametrize("schema", [*SCHEMAS.values(), ANY], ids=[*SCHEMAS, "any"])
def test_it_is_a_schema_in_its_own_dialect(schema: dict[str, Json]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_documents_conform(path: Path) -> None:
    assert _accepted(path.read_text())


@pytest.mark.parametrize("text", [*_examples()], ids=lambda text: text.split("\n")[0])
def test_the_examples_of_the_reference_conform(text: str) -> None:
    assert _accepted(text)


def test_the_reference_has_examples_of_every_kind() -> None:
    assert {_kind(document) for text in _examples() for document in _documents(text)} == {"policy", "tool", "test"}


def test_every_member_is_explained() -> None:
    unexplained = [(name, member) for name, member, inner in _members(ANY) if not inner.get("description")]
    assert unexplained == []


def test_nothing_is_explained_that_is_not_there() -> None:
    known = {word for name, member, _ in _members(ANY) for word in (member, f"{name}.{member}")}
    inside_values = {"parameter", "list", "pattern"}
    assert set(DESCRIPTIONS) - known - inside_values == set()


def test_no_part_takes_members_nobody_knows() -> None:
    parts = ANY["$defs"]
    assert isinstance(parts, dict)
    assert [name for name, part in parts.items() if isinstance(part, dict) and part["additionalProperties"]] == []


@pytest.mark.parametrize(
    "text",
    [
        "agnet: a\n",
        "agent: a\nmode: enforced\n",
        "agent: a\nallowed_tool: []\n",
        "agent: a\nallowed_tools:\n  - {name: t, action: [x]}\n",
        "agent: a\nallowed_tools:\n  - {name: t, actions: []}\n",
        "agent: a\nallowed_tools:\n  - {name: T, actions: [x]}\n",
        "agent: a\ndenied_tools:\n  - {name: t, actions: [x], approval: {groups: [g]}}\n",
        "agent: a\nregions: eu\n",
        'agent: "*-agent"\n',
        f"{CONDITIONS}      maximum_amount: 1\n",
        f"{CONDITIONS}      max_: 1\n",
        f"{CONDITIONS}      max_amount: ten\n",
        f"{CONDITIONS}      parameters: {{x: {{one_of: [1]}}}}\n",
        f"{CONDITIONS}      parameters: {{x: {{in: {{lists: a}}}}}}\n",
        f"{CONDITIONS}      parameters: {{x: {{max: {{parameter: a, of: b}}}}}}\n",
        f"{CONDITIONS}      context: {{hour: {{min: 1}}}}\n",
        f"{CONDITIONS}      context: {{time: {{within: [{{zone: UTC, day: mon}}]}}}}\n",
        f"{RULE}    sanitize: {{}}\n",
        f"{RULE}    sanitize: {{response: {{detector: [email]}}}}\n",
        "template: t\nextends: u\n",
        "define: {list: {a: [1]}}\n",
        "define: {approvers: {a: {approvers: b}}}\n",
        "tool: t\nhost: h.example\n",
        "tool: t\nhost: h.example\nmcp: {}\nactions: {x: {match: GET /}}\n",
        "tool: t\nhost: h.example\nactions: {x: {match: GET /, params: {}}}\n",
        "tests:\n  - {name: one, call: {agent: a/b/c, tool: t}, expect: {effect: allow}}\n",
        "tests:\n  - {name: one, call: {agent: a/b/c, host: h}, expect: {effect: allowed}}\n",
        "tests:\n  - {name: one, call: {agent: a/b/c, host: h}, expect: {effect: deny, because: x}}\n",
        "tests: []\n",
    ],
)
def test_typos_are_refused(text: str) -> None:
    assert not _accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        'agent: "*"\n',
        'agent: "finance-*"\n',
        "agent: a\nregions: {list: ours}\n",
        "agent: a\negress: {allow: [a.example, {host: b.example}]}\n",
        f"{CONDITIONS}      {{max_amount: 1, min_amount: 0, approval_needed_over_amount: 0.5}}\n",
        f"{CONDITIONS}      {{approval_needed_over: 1}}\n",
        f"{CONDITIONS}      parameters: {{x: {{in: {{list: a}}}}, z: {{max: {{parameter: x}}}}}}\n",
        f"{CONDITIONS}      parameters: {{x: {{matches: {{pattern: p}}}}, z: {{matches: a+}}}}\n",
        f"{CONDITIONS}      parameters: {{x: [{{length: {{max: 1}}}}, {{in_ranges: {{list: a}}, else: deny}}]}}\n",
        f"{CONDITIONS}      context: {{time: {{within: [office, {{holidays: {{list: a}}}}]}}}}\n",
        f"{CONDITIONS}      schema: {{anything: goes}}\n",
        f"{RULE}    approval: {{approvers: finance, expires_in: 60}}\n",
        f"{RULE}    approval: {{always: true, hold: 20s}}\n",
        f"{RULE}    sanitize: {{response: {{detectors: [My set]}}}}\n",
    ],
)
def test_every_way_of_writing_is_taken(text: str) -> None:
    assert _accepted(text)
