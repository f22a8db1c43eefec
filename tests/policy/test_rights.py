from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.scope import Scope
from aegis_authz.lab.calls import TriedCall, question_of
from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.load import Loaded, LoadedPolicy, load
from aegis_authz.policy.rights import Right, Rights, rights_of
from aegis_authz.policy.source.reader import read_source
from tests.support.reference_documents import TOOLS, call, documents_and_waivers

ROOT = Path(__file__).resolve().parents[2] / "policies"
FOLDERS = [ROOT, *sorted(path for path in (ROOT / "packs").iterdir())]
TRUST = trust_to_data("lab", "lab", [], [], 300, 0)
AGENT = Scope("o", "t", "a")
SPREAD = 7919
"""Between two seeds: what near ones draw resembles each other."""
HTTP = [
    replace(
        tool, actions=tuple(Action(name, "POST", ("", name), (), True, JSON_ALONE, ONE_OPERATION) for name in names)
    )
    for tool in TOOLS
    for names in [("get", "pay")]
]
MCP = [replace(tool, mcp_endpoint="/mcp") for tool in TOOLS]


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def policies_of(written: list[dict[str, Any]]) -> list[LoadedPolicy]:
    return [
        LoadedPolicy(
            compiled_document(PolicyDocument.model_validate(one)), read_source(f"{n}.yaml", json.dumps(one))[0][0]
        )
        for n, one in enumerate(written)
    ]


def row_of(rights: Rights, tool: str, action: str) -> Right | None:
    rows = {(row.tool, row.action): row for row in rights.rows}
    return rows.get((tool, action)) or rows.get((tool, "*"))


def is_disguised(rights: Rights, tool: str, action: str) -> bool:
    """Whether the name is another spelling of one that a row names."""
    names = {row.action for row in rights.rows if row.tool == tool}
    return action not in names and action.lower() in {name.lower() for name in names}


def spoken(row: Right) -> set[tuple[str, str]]:
    return {(ground.document, ground.rule) for ground in (*row.allowing, *row.denying)}


def plainer(draw: Random, written: dict[str, Any]) -> dict[str, Any]:
    """The document with few conditions, and more regions: most calls get the best of their rows, and it is compared."""
    rules = [rule for listed in ("allowed_tools", "denied_tools") for rule in written.get(listed, [])]
    for rule in rules:
        if draw.random() < 0.8:
            rule.pop("conditions", None)
        if draw.random() < 0.1:
            rule["actions"] = ["Pay"]
    for rule in written.get("allowed_tools", []):
        if draw.random() < 0.5:
            rule["approval"] = {"always": True, "groups": [draw.choice("ab")]}
        if draw.random() < 0.5:
            rule["obligations"] = {"set_headers": [{"name": "x-a", "value": draw.choice("12")}]}
    regions = {"regions": draw.choice([["eu"], ["us"], ["eu", "us"]])} if draw.random() < 0.2 else {}
    return {**written, **({} if "waivers" in written else regions)}


def agree(opa: LabOpa, seed: int) -> None:
    """Every call that is drawn, against the row of its action."""
    draw = Random(seed)  # noqa: S311  # no secret hangs on it
    policies = policies_of([plainer(draw, written) for written in documents_and_waivers(draw)])
    asked = [call(draw) for _ in range(40)]
    asked = [one for one in asked if one["subject"]["id"] == str(AGENT) and one["resource"]["type"] != "unclaimed"]
    opa.load(compile_policy([policy.compiled for policy in policies], TOOLS, TRUST, "").data)
    tables = {"http": rights_of(policies, HTTP, AGENT), "mcp_tool": rights_of(policies, MCP, AGENT)}
    for one, told in zip(asked, opa.explanations(asked), strict=True):
        table, tool, action = tables[one["resource"]["type"]], one["resource"]["id"], one["action"]["name"]
        row, decision, looked_at = row_of(table, tool, action), told["decision"], told["documents"]
        assert isinstance(decision, dict)
        assert isinstance(looked_at, list)
        if row is not None and is_disguised(table, tool, action):
            assert Effect(decision["effect"]) >= row.effect
        else:
            check_row(row, decision, looked_at)


def check_row(row: Right | None, decision: Mapping[str, Any], looked_at: list[Any]) -> None:
    effect = Effect(decision["effect"])
    judging = [one for one in looked_at if one["mode"] == "enforce"] or looked_at
    rules = {(one["name"], rule["id"]): rule["outcome"] for one in judging for rule in one["rules"]}
    if row is None:
        assert effect is Effect.DENY
        assert not rules
        return
    assert spoken(row) == set(rules)
    if not row.waiving:
        assert effect >= row.effect, "no call gets less than its row says"
    if effect is Effect.APPROVAL_NEEDED is not row.effect:
        assert row.asks, "a row tells of approvals that some of its calls need"
    grounds = {(ground.document, ground.rule): ground for ground in row.allowing}
    is_best = all(
        outcome == (grounds[key].effect.value if key in grounds else "excused") for key, outcome in rules.items()
    )
    if is_best:  # a waiver stands for an approval, and for no denial
        assert (effect is Effect.DENY) == (row.effect is Effect.DENY)
    if is_best and not row.waiving:
        assert effect is row.effect, "a call that meets every condition gets what its row says"
        if effect is not Effect.DENY and decision["reason"] != "SHADOWED":
            deciding = [
                ground for ground in row.allowing if ground.effect is effect or effect is not Effect.APPROVAL_NEEDED
            ]
            assert decision["policies"] == sorted({ground.document for ground in deciding})
            assert {limit.id for limit in row.limits} == set(decision["limits"])


def test_every_call_gets_what_its_row_says_or_something_stricter(opa: LabOpa) -> None:
    for seed in range(100):
        agree(opa, SPREAD * seed)


@pytest.mark.slow
def test_tens_of_thousands_of_calls_get_what_their_rows_say(opa: LabOpa) -> None:
    for seed in range(100, 3000):
        agree(opa, SPREAD * seed)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".pb")}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_of_each_row_of_the_policies_we_ship_a_call_gets_what_it_says(opa: LabOpa, folder: Path) -> None:
    written = texts(folder / "agents")
    tests = {name: text for name, text in written.items() if name.endswith("_test.yaml")}
    loaded = load({name: text for name, text in written.items() if name not in tests}, texts(folder / "tools"))
    cases = [case for case in cases_of(tests, loaded) if case.call.tool and not case.call.grant]
    opa.load(compile_policy(loaded.compiled, loaded.tools, TRUST, "").data)
    decisions = opa.decisions([question_of(case.call, loaded.catalogue) for case in cases])
    got: dict[tuple[str, str, str], set[Effect]] = {}
    for case, decision in zip(cases, decisions, strict=True):
        assert isinstance(decision, Decision)
        got.setdefault((case.call.agent, case.call.tool, case.call.action), set()).add(decision.effect)
    for agent in sorted({case.call.agent for case in cases}):
        for row in rights_of(loaded.loaded_policies, loaded.tools, Scope.parse(agent)).rows:
            # of what no test is about a call without parameters tells
            effects = got.get((agent, row.tool, row.action)) or {decided(opa, loaded, agent, row)}
            assert min(effects) is row.effect, (agent, row)


def decided(opa: LabOpa, loaded: Loaded, agent: str, row: Right) -> Effect:
    action = "anything_else" if row.action == "*" else row.action
    asked = TriedCall.model_validate({"agent": agent, "tool": row.tool, "action": action})
    [decision] = opa.decisions([question_of(asked, loaded.catalogue)])
    assert isinstance(decision, Decision)
    return decision.effect


POLICY = """\
org: acme
tenant: emea
agent: pay
name: payments
allowed_tools:
  - name: bank
    actions: [pay]
    description: Pays suppliers.
    conditions:
      max_amount: 10000
      approval_needed_over: 5000
      parameters:
        currency: {in: [EUR, USD], else: approval_needed}
        note: {length: {max: 80}, optional: true}
    approval: {groups: [finance], approvals: 2}
    count: {max: 20, per: day}
  - name: bank
    actions: [list]
    sanitize: {response: {detectors: [iban]}}
denied_tools:
  - name: bank
    actions: [close]
  - name: bank
    actions: [list]
    conditions: {parameters: {all: {equals: true}}}
---
org: acme
tenant: "*"
agent: "*"
name: everywhere
allowed_tools:
  - {name: chat, actions: ["*"]}
---
org: acme
tenant: emea
agent: pay
name: standing
waivers:
  - {name: bank, actions: [pay], of: [payments], groups: [finance], from: "2026-01-05", until: "2026-01-07"}
"""
CATALOGUE = """\
tool: bank
host: bank.example
actions:
  pay: {match: POST /pay}
  list: {match: GET /list}
  close: {match: DELETE /account}
  audit: {match: GET /audit}
---
tool: chat
host: chat.example
mcp: {}
---
tool: crm
host: crm.example
actions: {get: {match: GET /x}}
"""


@pytest.fixture(scope="module")
def pay() -> Rights:
    loaded = load({"pay.yaml": POLICY}, {"tools.yaml": CATALOGUE})
    return rights_of(loaded.loaded_policies, loaded.tools, Scope("acme", "emea", "pay"))


def test_each_action_of_a_tool_that_a_rule_is_about_has_a_row(pay: Rights) -> None:
    assert [(row.tool, row.action, row.effect.value, row.why) for row in pay.rows] == [
        ("bank", "audit", "deny", "no rule lists it"),
        ("bank", "close", "deny", "denied whatever the call holds, by payments"),
        ("bank", "list", "sanitize", ""),
        ("bank", "pay", "allow", ""),
        ("chat", "*", "allow", ""),
    ]
    assert pay.refused == ("crm",)


def test_a_row_says_which_rule_of_which_document_gives_what_and_where_it_was_written(pay: Rights) -> None:
    [ground] = pay.rows[3].allowing
    assert (ground.document, ground.rule, ground.path, ground.line) == ("payments", "allowed_tools[0]", "pay.yaml", 6)
    assert ground.description == "Pays suppliers."
    assert ground.conditions == (
        "amount: at most 10000",
        "amount: at most 5000 without an approval",
        "amount: at least 0",
        "currency: one of EUR, USD, else an approval",
        "note: of a length of at most 80 (where it is there)",
    )
    assert ground.demands == ("where an approval is asked, it is approved by 2 people of finance",)
    assert [limit.name for limit in pay.rows[3].limits] == ["20 calls a day (bank)"]


def test_a_denial_with_conditions_stands_beside_what_allows(pay: Rights) -> None:
    [ground] = pay.rows[2].denying
    assert (ground.rule, ground.effect, ground.conditions) == ("denied_tools[1]", Effect.DENY, ("all: exactly true",))
    assert pay.rows[2].allowing[0].demands == ("redacts in the response: iban",)


def test_a_waiver_is_told_beside_the_approval_it_stands_for(pay: Rights) -> None:
    assert [row.asks for row in pay.rows] == [False, False, False, True, False]
    [waiver] = pay.rows[3].waiving
    assert waiver.document == "standing"
    assert waiver.demands == ("for approvals asked by payments, from 2026-01-05 to 2026-01-07",)


def test_the_documents_about_an_agent_are_told_with_their_places(pay: Rights) -> None:
    assert pay.cover == "enforced"
    assert [(document.name, document.scope, document.line) for document in pay.documents] == [
        ("everywhere", "acme/*/*", 27),
        ("payments", "acme/emea/pay", 1),
        ("standing", "acme/emea/pay", 34),
    ]


def test_an_agent_that_no_document_is_about_has_no_rights() -> None:
    loaded = load({"pay.yaml": POLICY}, {"tools.yaml": CATALOGUE})
    rights = rights_of(loaded.loaded_policies, loaded.tools, Scope("other", "emea", "pay"))
    assert (rights.cover, rights.rows, rights.refused) == ("absent", (), ("bank", "chat", "crm"))
