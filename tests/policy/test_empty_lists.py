"""An empty list is nobody and nothing, or an error: never all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.lab.calls import TriedCall, question_of
from aegis_authz.lab.opa import lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOL = "tool: bank\nhost: bank.example\nactions:\n  pay: {match: POST /pay}\n"
HEAD = "org: acme\ntenant: emea\nagent: bot\n"
RULE = "allowed_tools:\n  - name: bank\n    actions: [pay]\n"
LISTS = (
    "in",
    "not_in",
    "host_in",
    "url_host_in",
    "email_domain_in",
    "in_ranges",
    "not_in_ranges",
    "approval_needed_in",
)
SHAPES = ("every", "any", "length", "count", "schema")
ERRORS = {
    "no actions": HEAD + "allowed_tools:\n  - {name: bank, actions: []}\n",
    "blank actions": HEAD + "allowed_tools:\n  - {name: bank, actions: }\n",
    "blank rules": HEAD + "allowed_tools:\n",
    "no denied actions": HEAD + RULE + "denied_tools:\n  - {name: bank, actions: []}\n",
    "no conditions": HEAD + RULE + "    conditions: {}\n",
    "no conditions on parameters": HEAD + RULE + "    conditions: {parameters: {}}\n",
    "no conditions around the call": HEAD + RULE + "    conditions: {context: {}}\n",
    "no condition on a parameter": HEAD + RULE + "    conditions: {parameters: {x: {}}}\n",
    "no environments": HEAD + RULE + "    conditions: {context: {environment: {in: []}}}\n",
    "no regions": HEAD + RULE + "regions: []\n",
    "no redaction": HEAD + RULE + "    sanitize: {}\n",
    "no detectors": HEAD + RULE + "    sanitize: {response: {detectors: []}}\n",
    "no groups": HEAD + RULE + "    approval: {groups: []}\n",
    "no agent": "org: acme\ntenant: emea\nagent: ''\n" + RULE,
    **{
        f"{word} of nothing": HEAD + RULE + f"    conditions: {{parameters: {{x: {{{word}: []}}}}}}\n" for word in LISTS
    },
    **{
        f"{word} of {{}}": HEAD + RULE + f"    conditions: {{parameters: {{x: {{{word}: {{}}}}}}}}\n" for word in SHAPES
    },
}
DENYING = {
    "no rules at all": HEAD,
    "an empty list of rules": HEAD + "allowed_tools: []\n",
    "an empty list of denials": HEAD + "allowed_tools: []\ndenied_tools: []\n",
    "only the empty text": HEAD + RULE + "    conditions: {parameters: {x: {equals: ''}}}\n",
    "only what matches nothing": HEAD + RULE + "    conditions: {parameters: {x: {matches: ''}}}\n",
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_empty_list_is_an_error_where_it_could_mean_all(name: str) -> None:
    with pytest.raises(PolicyErrors):
        load({"p.yaml": ERRORS[name]}, {"t.yaml": TOOL})


@pytest.mark.parametrize("parameters", ["parameters: {}", "parameters: "])
def test_a_catalogue_does_not_list_nothing(parameters: str) -> None:
    http = f"tool: bank\nhost: bank.example\nactions:\n  pay: {{match: POST /pay, {parameters}}}\n"
    mcp = f"tool: bank\nhost: bank.example\nmcp: {{tools: {{pay: {{{parameters}}}}}}}\n"
    for tool in (http, mcp):
        with pytest.raises(PolicyErrors):
            load({}, {"t.yaml": tool})


@pytest.mark.parametrize("name", DENYING)
def test_a_policy_that_lists_nothing_allows_nothing(name: str, opa_binary: Path) -> None:
    loaded = load({"p.yaml": DENYING[name]}, {"t.yaml": TOOL})
    compiled = compile_policy(loaded.compiled, loaded.tools, trust_to_data("lab", "lab", [], [], 300, 0), "")
    call = TriedCall(agent="acme/emea/bot", tool="bank", action="pay", parameters={"x": "anything"})
    with lab_opa(opa_binary) as opa:
        opa.load(compiled.data)
        (decision,) = opa.decisions([question_of(call, Catalogue.of(loaded.tools))])
    assert isinstance(decision, Decision)
    assert decision.effect is Effect.DENY
