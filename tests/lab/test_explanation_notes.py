"""What is said beside an explanation, of real explanations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import explanation_of
from aegis_authz.lab.explanation_notes import of_body, sentences
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.tried_policies import POLICIES, TOOLS

ANY_TOOL = "tool: any-api\nhost: any.example\nactions:\n  do: {match: POST /do}\n  undo: {match: POST /undo}\n"


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def words(opa: LabOpa, call: TriedCall, policies: str = POLICIES, tools: str = TOOLS) -> str:
    bench = Workbench(load({"agents.yaml": policies}, {"tools.yaml": tools}), opa)
    explanation = explanation_of(call, bench.explain([call])[0], bench.loaded.loaded_policies)
    return "\n".join(sentences(explanation, bench.loaded.loaded_policies))


def test_an_agent_nobody_wrote_about_is_told_the_nearest_scopes(opa: LabOpa) -> None:
    call = TriedCall(agent="acme/emea/payr", tool="payments-api", action="pay")

    assert words(opa, call).startswith(
        "no document covers acme/emea/payr; the nearest: acme/emea/payer (agents.yaml:5)"
    )


def test_an_agent_far_from_all_is_told_what_there_is(opa: LabOpa) -> None:
    call = TriedCall(agent="zzz/zzz/zzz", tool="payments-api", action="pay")

    assert words(opa, call).endswith("those there are cover acme/emea/payer, acme/emea/reader")


def test_an_action_no_rule_lists_is_told_with_those_that_are_listed(opa: LabOpa) -> None:
    policy = "agent: one\nallowed_tools:\n- {name: any-api, actions: [do]}\n"

    said = words(opa, TriedCall(agent="o/t/one", tool="any-api", action="undo"), policy, ANY_TOOL)

    assert said == "no rule of allowed_tools lists 'undo' of 'any-api' for this agent; its rules list any-api: do"


def test_an_agent_without_rules_is_told_so(opa: LabOpa) -> None:
    said = words(opa, TriedCall(agent="o/t/one", tool="any-api", action="do"), "agent: one\n", ANY_TOOL)

    assert said.endswith("its documents allow nothing")


def test_a_listed_action_needs_no_sentence(opa: LabOpa) -> None:
    assert words(opa, TriedCall(agent="acme/emea/payer", tool="payments-api", action="pay")) == ""


def test_a_host_no_tool_claims_is_told_with_the_egress_lists(opa: LabOpa) -> None:
    policy = "agent: one\negress: {allow: [a.example]}\n"

    said = words(opa, TriedCall(agent="o/t/one", host="b.example"), policy, ANY_TOOL)

    assert said == "no tool of the catalogue answers at b.example; the egress lists of the agent name a.example"


def test_an_agent_that_is_only_observed_is_told_so(opa: LabOpa) -> None:
    policy = "agent: one\nmode: shadow\nallowed_tools:\n- {name: any-api, actions: [do]}\n"

    said = words(opa, TriedCall(agent="o/t/one", tool="any-api", action="do"), policy, ANY_TOOL)

    assert said == "every document that covers the agent is in shadow mode: nothing is enforced"


def test_a_method_of_an_mcp_session_is_open_to_any_rule_for_the_server(opa: LabOpa) -> None:
    policy = "agent: one\nallowed_tools:\n- {name: hub, actions: [create]}\n"
    call = TriedCall(agent="o/t/one", tool="hub", action="tools/list")

    said = words(opa, call, policy, "tool: hub\nhost: hub.example\nmcp: {}\n")

    assert said == "tools/list belongs to the session, which is open to an agent with any rule for the server"


def test_how_a_body_is_read_is_told_where_it_is_not_json_alone() -> None:
    tools = "tool: t\nhost: t.example\nactions:\n  a: {match: POST /a, body: [form, json]}\n  b: {match: POST /b}\n"
    known_tools = load({}, {"tools.yaml": tools + "  c: {match: POST /c, body: text, others: allow}\n"}).known_tools

    def note(tool: str, action: str) -> tuple[str, ...]:
        return of_body(TriedCall(agent="acme/emea/payer", tool=tool, action=action), known_tools)

    assert note("t", "a") == (
        "the body of a is form or json; a field that it does not list is refused before policy is asked",
    )
    assert note("t", "c") == ("the body of c is text",)
    assert note("t", "b") == note("t", "none") == note("none", "a") == ()


def test_it_is_said_where_a_refusal_is_told(opa: LabOpa) -> None:
    policy = 'agent: one\nnotify: {reasons: [EGRESS_DENIED], by: ["webhook:soc", log]}\n'

    said = words(opa, TriedCall(agent="o/t/one", host="b.example"), policy, ANY_TOOL)

    assert said.endswith("such a refusal is told at webhook:soc, log (agents.yaml:2)")
    assert "is told" not in words(opa, TriedCall(agent="o/t/one", tool="any-api", action="do"), policy, ANY_TOOL)
