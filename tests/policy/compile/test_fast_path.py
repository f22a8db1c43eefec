"""Plain rules: found where they are, and never another verdict than judging in full."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.operators import OPERATORS
from aegis_authz.wire.opa.answer import decisions_from_data
from tests.support.forms import written_out

REGO = Path(__file__).resolve().parents[3] / "rego"


def document(agent: str = "a", **members: Any) -> dict[str, Any]:
    return {"org": "o", "tenant": "t", "agent": agent, **members}


def rule(actions: list[str], **members: Any) -> dict[str, Any]:
    return {"name": "bank", "actions": actions, **members}


def scopes(trust: Any, *documents: dict[str, Any]) -> dict[str, Any]:
    compiled = compile_policy(
        [compiled_document(PolicyDocument.model_validate(raw)) for raw in documents], [], trust, ""
    )
    return written_out(compiled.data["aegis"]["policies"])  # type: ignore[index,call-overload]


def plain(trust: Any, *documents: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = scopes(trust, *documents)["o/t/a"]["plain"]
    return found


def test_an_action_that_rules_simply_allow_has_a_plain_rule(trust: Any) -> None:
    (found,) = plain(trust, document(allowed_tools=[rule(["pay"], conditions={"max_amount": 5})]))["bank"].values()
    assert found["policies"] == ["o/t/a"]
    assert (found["between"], found["checks"]) == ({"amount": [0, 5]}, [])


def test_rules_of_all_documents_that_cover_the_agent_are_gathered(trust: Any) -> None:
    own = document(allowed_tools=[rule(["pay"], conditions={"max_amount": 5})])
    everyones = {"agent": "*", "name": "house rules", "allowed_tools": [rule(["*"], conditions={"max_fee": 1})]}
    found = plain(trust, own, everyones)["bank"]["pay"]
    assert found["policies"] == ["house rules", "o/t/a"]
    assert found["between"] == {"amount": [0, 5], "fee": [0, 1]}


def test_a_type_is_checked_unless_another_condition_implies_it(trust: Any) -> None:
    parameters = {
        "a": {"type": "integer", "in": [1, 2]},
        "b": {"min": 1},
        "c": {"matches": "x"},
        "d": {"not_in": ["x"]},
        "e": {"equals": True},
        "f": {"type": "any"},
    }
    found = plain(trust, document(allowed_tools=[rule(["pay"], conditions={"parameters": parameters})]))["bank"]["pay"]
    assert {check["parameter"]: check["limit"] for check in found["checks"] if check["condition"] == "type"} == {
        "a": "integer",
        "b": "number",
        "d": "string",
        "f": "any",
    }


SETTLING: dict[str, Any] = {
    "equals": "x",
    "in": [5, 7],
    "matches": "[a-z]+",
    "starts_with": "x",
    "ends_with": "x",
    "length": {"min": 0},
    "host_in": ["x", "*.x"],
    "url_host_in": ["x"],
    "email_domain_in": ["x"],
    "in_ranges": ["10.0.0.0/8"],
    "not_in_ranges": ["192.0.2.0/24"],
    "count": {"min": 0},
}
OF_EVERY_TYPE = ["x", "", "a@x", "http://x", "10.0.0.1", 5, 5.5, True, False, None, [], ["x"], [5], {}, {"x": "x"}]


def test_a_condition_that_settles_the_type_is_met_by_no_value_of_another(
    opa_binary: Path, tmp_path: Path, trust: Any
) -> None:
    assert SETTLING.keys() == {word for word, operator in OPERATORS.items() if operator.settles_type}
    rules = [rule([word], conditions={"parameters": {"p": {word: operand}}}) for word, operand in SETTLING.items()]
    for found in plain(trust, document(allowed_tools=rules))["bank"].values():
        assert "type" not in {check["condition"] for check in found["checks"]}
    calls = [call("a", "http", "bank", word, {"p": value}) for word in SETTLING for value in OF_EVERY_TYPE]
    quick, whole = both(opa_binary, tmp_path, trust, [document(allowed_tools=rules)], calls)
    assert quick == whole
    met = {
        word
        for number, word in enumerate(SETTLING)
        for entry in quick[number * 15 :][:15]
        if entry["effect"] == "allow"
    }
    assert met == SETTLING.keys()


def test_the_strictest_bound_is_the_one_that_opa_takes_for_it(opa_binary: Path, tmp_path: Path, trust: Any) -> None:
    least = 2**63 + 92  # and 2.0**63 is written as 2**63 + 192
    bounds = {"parameters": {"amount": {"max": least, "approval_needed_over": 2.0**63}}}
    calls = [call("a", "http", "bank", "pay", {"amount": least + more}) for more in (0, 1)]
    quick, whole = both(
        opa_binary, tmp_path, trust, [document(allowed_tools=[rule(["pay"], conditions=bounds)])], calls
    )
    assert quick == whole
    assert [entry["effect"] for entry in quick] == ["allow", "deny"]


def test_where_a_rule_does_more_than_allow_there_is_none(trust: Any) -> None:
    asks = rule(["pay"], approval={"always": True})
    redacts = rule(["pay"], sanitize={"request": {"detectors": ["us_ssn"]}})
    for other in (asks, redacts):
        assert plain(trust, document(allowed_tools=[rule(["pay", "get"]), other]))["bank"].keys() == {"get"}


@pytest.mark.parametrize("spelling", ["Pay", "PAY"])
def test_where_a_rule_or_limit_spells_an_action_otherwise_there_is_none_for_it(trust: Any, spelling: str) -> None:
    own = document(allowed_tools=[rule(["pay", "get"])])
    for also in (
        document(name="b", allowed_tools=[rule([spelling, "pay"], rate_limit="3/s")]),
        document(name="b", allowed_tools=[rule([spelling])]),
        document(name="b", limits=[{"tools": ["bank"], "actions": [spelling], "rate_limit": "3/s"}]),
    ):
        assert plain(trust, own, also)["bank"].keys() == {"get"}


def test_of_actions_whose_spelling_rego_alone_knows_there_is_none(trust: Any) -> None:
    kelvin = "\u212aeep"  # the sign of Kelvin, which is a k to whoever folds case
    assert plain(trust, document(allowed_tools=[rule(["keep", kelvin])])) == {}
    assert plain(trust, document(allowed_tools=[rule([kelvin])]))["bank"].keys() == {kelvin}


def test_an_agent_that_is_also_observed_has_none(trust: Any) -> None:
    own = document(allowed_tools=[rule(["pay"])])
    for observer in (document(mode="shadow", name="s"), {"agent": "*", "mode": "shadow"}):
        assert plain(trust, own, observer) == {}


def test_a_scope_that_is_none_agents_own_has_none(trust: Any) -> None:
    assert "plain" not in scopes(trust, {"agent": "a", "allowed_tools": [rule(["pay"])]})["*/*/a"]


NUMBERS = st.sampled_from([-1, 0, 3, 5, 5.5, 10, 11])
VALUES = st.one_of(NUMBERS, st.sampled_from(["EUR", "INV-1", "", "x", None, True, [], [5], {}]))
PARAMETERS = st.dictionaries(st.sampled_from(["amount", "Amount", "currency", "note"]), VALUES, max_size=3)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "max_amount": st.sampled_from([5, 10]),
        "approval_needed_over_amount": st.sampled_from([3, 5]),
        "parameters": st.fixed_dictionaries(
            {},
            optional={
                "currency": st.sampled_from(
                    [
                        {"in": ["EUR", "x"]},
                        {"matches": "[A-Z]+", "optional": True},
                        {"not_in": ["x"]},
                        {"equals": True},
                        {"min": 1},
                        {"min": 0, "max": 5, "type": "integer"},
                        {"in": ["EUR", "x"], "approval_needed_in": ["x"]},
                        {"in": ["EUR"], "else": "approval_needed"},
                        [{"type": "string"}, {"starts_with": "E", "else": "approval_needed"}],
                        {"equals": {"parameter": "note"}},
                        {"max": {"parameter": "amount"}, "optional": True},
                        {"exists": False},
                        {"every": {"in": [5]}},
                        {"schema": {"type": "string"}},
                        {"length": {"max": 3}},
                        {"count": {"max": 1}, "optional": True},
                        [{"in": ["EUR", "x"]}, {"in": ["x", ""]}],
                        {"matches": "[A-Z]*", "in": ["EUR", "", "x"]},
                    ]
                ),
                "note": st.sampled_from(
                    [{"type": "any"}, {"type": "integer", "optional": True}, {"starts_with": "INV"}]
                ),
                "/note/deep": st.just({"max": 5, "optional": True}),
            },
        ).filter(bool),
        "context": st.sampled_from(
            [
                {"environment": {"equals": "test"}},
                {"environment": {"equals": "live"}},
                {"time": {"within": [{"from": "1970-01-01", "until": "1970-01-01"}]}},
                {"region": {"in": ["eu"], "optional": True}},
            ]
        ),
    },
).filter(bool)  # an empty mapping is refused: what asks for nothing is left out
DENIALS = st.fixed_dictionaries(
    {"name": st.just("bank"), "actions": st.sampled_from([["pay"], ["*"]])},
    optional={
        "conditions": st.sampled_from(
            [
                {"parameters": {"amount": {"over": 5}}},
                {"parameters": {"note": {"in": ["x"], "optional": True}}},
                {"context": {"environment": {"equals": "live"}}},
            ]
        )
    },
)
RULES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["bank", "shop"]),
        "actions": st.sampled_from([["pay"], ["get"], ["pay", "get"], ["*"]]),
    },
    optional={
        "conditions": CONDITIONS,
        "rate_limit": st.sampled_from(["3/s", "5/min"]),
        "sanitize": st.just({"request": {"detectors": ["us_ssn"]}}),
        "approval": st.just({"always": True}),
        "obligations": st.sampled_from(["1", "2"]).map(
            lambda value: {"set_headers": [{"name": "x-a", "value": value}]}
        ),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "org": st.sampled_from(["o", "o", "*"]),
        "tenant": st.sampled_from(["t", "t", "*"]),
        "agent": st.sampled_from(["a", "a", "b", "*", "a*", "ab*"]),
        "mode": st.sampled_from(["enforce", "enforce", "enforce", "shadow"]),
        "disclose_limits": st.booleans(),
        "allowed_tools": st.lists(RULES, max_size=3),
        "denied_tools": st.one_of(st.just([]), st.just([]), st.lists(DENIALS, max_size=1)),
    },
    optional={"regions": st.sampled_from([["eu"], ["us"]])},
)
PLAIN = st.fixed_dictionaries(  # of the many documents of many agents hardly a call meets a plain rule
    {
        "org": st.just("o"),
        "tenant": st.just("t"),
        "agent": st.just("a"),
        "allowed_tools": st.lists(
            st.fixed_dictionaries(
                {"name": st.just("bank"), "actions": st.sampled_from([["pay"], ["pay", "get"], ["*"]])},
                optional={
                    "conditions": st.sampled_from(
                        [
                            {"max_amount": 5},
                            {"max_amount": 10, "approval_needed_over_amount": 5},
                            {"parameters": {"currency": {"in": ["EUR", "x"]}}},
                            {"parameters": {"note": {"length": {"max": 3}, "not_in": ["x"]}}},
                        ]
                    ),
                    "rate_limit": st.sampled_from(["3/s", "5/min"]),
                },
            ),
            min_size=1,
            max_size=2,
        ),
    }
)
PAYMENTS = [
    ("a", kind, "bank", "pay", {"amount": amount, "currency": currency, "note": note})
    for kind in ("http", "mcp_tool")
    for amount in (-1, 3, 5, 5.5, "5")
    for currency in ("EUR", "", 5)
    for note in ("", "x", None)
]
TOOLS = [
    Tool("bank", "bank.example", None, "", (), "", "eu", None, False, False, NO_INTERFACE),
    Tool("shop", "shop.example", None, "", (), "", "us", None, False, False, NO_INTERFACE),
]
CALLS = st.tuples(
    st.sampled_from(["a", "ab", "b", "c"]),
    st.sampled_from(["http", "mcp_tool", "mcp_session", "unclaimed"]),
    st.sampled_from(["bank", "shop", ""]),
    st.sampled_from(["pay", "get", "*", "tools/list", ""]),
    PARAMETERS,
)


SPELLINGS = ("pay", "Pay", "PAY", "keep", "\u212aeep", "stra\u00dfe", "STRASSE")  # the fifth is the sign of Kelvin
SPELT = st.one_of(
    st.lists(st.sampled_from(SPELLINGS[:3]), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=2, unique=True),
)
LIMITED_RULES = st.fixed_dictionaries(
    {"name": st.just("bank"), "actions": st.one_of(SPELT, SPELT, st.just(["*"]))},
    optional={"rate_limit": st.sampled_from(["3/s", "5/min"])},
)
LIMITS = st.fixed_dictionaries(
    {"tools": st.sampled_from([["bank"], ["bank", "shop"]]), "count": st.just({"max": 5, "per": "day"})},
    optional={"actions": SPELT},
)
LIMITING = st.fixed_dictionaries(
    {
        "org": st.just("o"),
        "tenant": st.just("t"),
        "agent": st.sampled_from(["a", "a", "*"]),
        "allowed_tools": st.lists(LIMITED_RULES, min_size=1, max_size=3),
    },
    optional={"limits": st.lists(LIMITS, min_size=1, max_size=2)},
)


def call(agent: str, kind: str, tool: str, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    who = {"org": "o", "tenant": "t", "agent": agent, "actors": []}
    return {
        "subject": {"type": "agent", "id": f"o/t/{agent}", "properties": who},
        "action": {"name": action, "properties": parameters},
        "resource": {
            "type": kind,
            "id": tool,
            "properties": {"host": "h", "port": None, "method": "POST", "path": "/"},
        },
        "context": {"time": 1, "environment": "test", "source": ""},
    }


def decisions(opa: Path, folder: Path, data: Any, calls: list[dict[str, Any]], brief: bool = False) -> Any:
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "input.json").write_text(json.dumps({"calls": calls, "brief": brief}))
    sources = ["--data", REGO, "--data", folder / "data.json", "--input", folder / "input.json"]
    arguments = [opa, "eval", "--format", "raw", *sources, "data.aegis.authz.answer.decisions"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.one_of(st.lists(DOCUMENTS, max_size=4), st.lists(PLAIN, min_size=1, max_size=2)),
    st.lists(CALLS, min_size=20, max_size=60).map(lambda drawn: PAYMENTS + drawn),
)
def test_calls_are_decided_as_without_plain_rules(
    opa_binary: Path, tmp_path: Path, trust: Any, documents: list[dict[str, Any]], asked: list[tuple[Any, ...]]
) -> None:
    quick, whole = both(opa_binary, tmp_path, trust, documents, [call(*one) for one in asked])
    assert quick == whole


def test_what_is_told_in_brief_is_read_as_what_is_told_in_full(opa_binary: Path, tmp_path: Path, trust: Any) -> None:
    told_in_brief = 0

    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(PLAIN, min_size=1, max_size=2), st.lists(DOCUMENTS, max_size=1), st.lists(CALLS, max_size=20))
    def is_read_alike(plainly: list[Any], others: list[Any], asked: list[tuple[Any, ...]]) -> None:
        nonlocal told_in_brief
        policies = [*map(compiled_document, map(PolicyDocument.model_validate, plainly + others))]
        data = compile_policy(policies, TOOLS, trust, "").data
        calls = [call(*drawn) for drawn in PAYMENTS + asked]
        full = decisions(opa_binary, tmp_path, data, calls)
        brief = decisions(opa_binary, tmp_path, data, calls, brief=True)
        read = [decisions_from_data({"revision": "r", "decisions": told}, len(calls)) for told in (full, brief)]
        assert read[0] == read[1]
        told_in_brief += sum(isinstance(decision, list) for decision in brief)

    is_read_alike()
    assert told_in_brief > 10


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(LIMITING, min_size=1, max_size=2))
def test_calls_meet_the_limits_that_they_meet_without_plain_rules_however_rules_spell_their_actions(
    opa_binary: Path, tmp_path: Path, trust: Any, documents: list[dict[str, Any]]
) -> None:
    kinds = ("http", "mcp_tool")
    calls = [call("a", kind, tool, name, {}) for kind in kinds for tool in ("bank", "shop") for name in SPELLINGS]
    quick, whole = both(opa_binary, tmp_path, trust, documents, calls)
    assert quick == whole


def both(
    opa: Path, folder: Path, trust: Any, documents: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> tuple[Any, Any]:
    """What becomes of the calls with plain rules, and without."""
    policies = [PolicyDocument.model_validate(raw) for raw in documents]
    data = json.loads(json.dumps(compile_policy([*map(compiled_document, policies)], TOOLS, trust, "").data))
    quick = decisions(opa, folder, data, calls)
    for form in data["aegis"]["policies"]["forms"]:
        form.pop("plain", None)
    return quick, decisions(opa, folder, data, calls)
