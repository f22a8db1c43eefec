"""Policies and catalogues as people write them, right and wrong."""

from __future__ import annotations

import json

import pytest

from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import read_source

TOOLS = {
    "tools.yaml": """
tool: stripe-payments
host: api.stripe.example
upstream: http://127.0.0.1:9001
actions:
  create_payment:
    match: POST /v1/payments
    parameters: {amount: {from: /amount, type: number}, currency: {from: /currency, type: string}}
  get_payment:
    match: GET /v1/payments/{id}
---
tool: github
host: github.mcp.example
upstream: http://127.0.0.1:9002/mcp
mcp: {}
"""
}
PUBLIC_EXAMPLE = """\
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 5000            # above: deny
      approval_needed_over: 5000  # above, up to max_amount: approval_needed
"""


def loaded(text: str, detectors: set[str] | None = None) -> Loaded:
    return load({"policy.yaml": text}, TOOLS, detectors)


def problems(text: str, detectors: set[str] | None = None) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        loaded(text, detectors)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def rule(extra: str, tool: str = "stripe-payments", actions: str = "[create_payment]") -> str:
    return f"agent: a\nallowed_tools:\n  - name: {tool}\n    actions: {actions}\n    {extra}\n"


def test_the_public_example_is_read_verbatim() -> None:
    (policy,) = loaded(PUBLIC_EXAMPLE).policies
    assert (policy.scope, policy.mode, policy.title) == ("*/*/finance-agent", "enforce", "*/*/finance-agent")
    assert policy.allowed_tools[0].conditions.short_forms == {"max_amount": 5000, "approval_needed_over": 5000}


def test_the_examples_of_the_checkout_are_read(examples: Loaded) -> None:
    assert {policy.agent for policy in examples.policies} == {
        "finance-agent", "clinic-agent", "coding-agent", "deploy-agent", "observer-agent",
    }  # fmt: skip
    assert {tool.name for tool in examples.tools} == {"stripe-payments", "ehr", "deploys", "github"}


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    assert problems("agent: a\nalowed_tools: []\n") == [
        "policy.yaml:2:1: alowed_tools: unknown key 'alowed_tools'; did you mean 'allowed_tools'?"
    ]
    assert problems(rule("conditons: {}")) == [
        "policy.yaml:5:5: allowed_tools[0].conditons: unknown key 'conditons'; did you mean 'conditions'?"
    ]
    assert problems(rule("conditions: {maxamount: 5}")) == [
        "policy.yaml:5:18: allowed_tools[0].conditions.maxamount: unknown key 'maxamount'; did you mean 'max_amount'?"
    ]


@pytest.mark.parametrize("word", ["max_cost_per_call", "webhook", "priority", "effect"])
def test_words_that_do_nothing_yet_say_so(word: str) -> None:
    for text in (f"agent: a\n{word}: 5\n", rule(f"{word}: 5"), rule(f"conditions: {{{word}: 5}}")):
        (problem,) = problems(text)
        assert f"'{word}' is not enforced" in problem or f"'{word}' does not exist" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org: acme\n", "policy.yaml:1:1: agent: is required"),
        ("agent: Finance\n", "between them, at most 63, not the text 'Finance'; a group is"),
        ("agent: 5\n", "policy.yaml:1:8: agent: must be a text, not the number 5"),
        ("agent: a\nmode: observe\n", "mode: must be 'enforce' or 'shadow', not the text 'observe'"),
        ("agent: a\ndisclose_limits: 1\n", "disclose_limits: must be true or false, not the number 1"),
        ("agent: a\nowner:\n", "owner: must not be empty"),
        ("agent: a\negress: {default: allow}\n", "egress.default: must be 'deny'"),
        ('agent: a\negress: {allow: ["*"]}\n', "egress.allow[0]: '*' is not a host name"),
        ("agent: a\negress: {allow: [http://x.example]}\n", "egress.allow[0]: 'http://x.example' is not a host name"),
        ("agent: a\negress: {allow: [a.example, a.example]}\n", "egress.allow: names something twice"),
        ("- a\n", "policy.yaml:1:1: must be a mapping, not a list"),
        (rule("sanitize: {}"), "allowed_tools[0].sanitize: names neither request nor response"),
        (rule("sanitize: {request: {}}"), "sanitize.request: names neither detectors nor fields"),
        (rule("sanitize: {request: {fields: [notes]}}"), "fields[0]: 'notes' is not a JSON pointer"),
        (rule("approval: {groups: [x]}"), "allowed_tools[0].approval: nothing in this rule asks for an approval"),
        (rule("approval: {always: true, expires_in: 0}"), "approval.expires_in: must be more than 0, not the number 0"),
        (rule("approval: {always: true, approvals: 0}"), "approval.approvals: must be at least 1, not the number 0"),
        (rule("approval: {always: true, approvals: 6}"), "approval.approvals: must be at most 5, not the number 6"),
        (rule("approval: {always: true, unattended: deny}"), "approval: unattended: deny needs hold"),
        (rule("approval: {always: true, unattended: hold}"), "approval.unattended: must be"),
        (rule("approval: {always: true, proof: seen}"), "approval.proof: must be"),
        (rule("approval: {always: true, hold: 61s}"), "approval.hold: 61s is too long: a request is kept open for at most 60s"),
        (rule("approval: {always: true, hold: 20}"), "approval.hold: must be"),
        (rule('approval: {always: true, hold: "-1s"}'), "approval.hold: '-1s' is not a duration"),
        (rule("approval: {always: true, confirm: [payed]}"), "declares no parameter 'payed'"),
        (rule('approval: {always: true, notify: ["pager:me"]}'), "must be slack:, teams:, webhook: or email:, and the place"),
        (rule('approval: {always: true, notify: ["slack:"]}'), "must be slack:, teams:, webhook: or email:, and the place"),
        (rule("", actions="[]"), "allowed_tools[0].actions: must not be empty"),
        (rule("", actions='["*", create_payment]'), '"*" already means every action'),
        (rule("", tool="stripe-payment"), "no tool 'stripe-payment' in the catalogue; did you mean 'stripe-payments'?"),
        (rule("", actions="[create_paymnt]"), "has no action 'create_paymnt'; did you mean 'create_payment'?"),
        (rule("conditions: {max_amont: 5}"), "declares no parameter 'amont'; did you mean 'amount'?"),
        (rule("conditions: {max_currency: 5}"), "'currency' is a string in the catalogue"),
        (rule('conditions: {max_amount: "5"}'), "conditions.max_amount: must be a number, not the text '5'"),
        (rule("conditions: {max_amount: true}"), "conditions.max_amount: must be a number, not true"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem


@pytest.mark.parametrize("actions", ["", "actions: ['*']", "actions: [create_payment]"])
def test_a_parameter_that_no_action_of_a_limit_declares_cannot_be_typed(actions: str) -> None:
    text = (
        "agent: a\nlimits:\n  - tools: [stripe-payments]\n    rate_limit: 1/s\n    on_exceed: approval_needed\n"
        f"    approval: {{groups: [g], confirm: [payed]}}\n    {actions}\n"
    )
    assert any("declares no parameter 'payed'" in problem for problem in problems(text))


def test_detectors_that_do_not_exist_are_named() -> None:
    text = rule("sanitize: {response: {detectors: [us_snn]}}")
    assert loaded(text).policies
    (problem,) = problems(text, {"us_ssn", "iban"})
    assert problem.endswith("sanitize.response.detectors[0]: no detector 'us_snn'; did you mean 'us_ssn'?")


def test_actions_and_arguments_of_an_mcp_server_are_not_checked() -> None:
    assert loaded(rule("conditions: {max_depth: 3}", tool="github", actions="[list_issues]")).policies


def test_every_problem_of_every_file_is_reported_at_once_in_order() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"b.yaml": "agent: A\nmod: x\n", "a.yaml": "agent: [\n"}, {"tools.yaml": "tool: x\nhost: x y\nmcp: {}\n"})
    assert [(problem.path, problem.field) for problem in caught.value.problems] == [
        ("a.yaml", ""), ("b.yaml", "agent"), ("b.yaml", "mod"), ("tools.yaml", "host"),
    ]  # fmt: skip


def test_a_tool_with_a_mistake_of_its_own_is_not_called_unknown_as_well() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": rule("", tool="x")}, {"t.yaml": "tool: x\nhost: x y\nmcp: {}\n"})
    assert [problem.path for problem in caught.value.problems] == ["t.yaml"]


def test_the_public_example_reads_the_same_as_json() -> None:
    text = json.dumps(read_source("p.yaml", PUBLIC_EXAMPLE)[0][0].value, indent=2)
    assert load({"policy.json": text}, TOOLS).policies == loaded(PUBLIC_EXAMPLE).policies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n  "agent": "a" // all\n}', "policy.json:2:16: not JSON: comments are not allowed"),
        ('{\n  # all\n  "agent": "a"\n}', "policy.json:2:3: not JSON: comments are not allowed"),
        ('{\n  "agent": "a",\n}', "policy.json:3:1: not JSON: a comma after the last member is not allowed"),
        ('{"agent": "a", "regions": ["eu",]}', "policy.json:1:33: not JSON: a comma after the last member"),
        ("{'agent': 'a'}", "policy.json:1:2: not JSON: texts are written in double quotes"),
        ('{"agent": "a",\n "agent": "b"}', "policy.json:2:2: agent: given twice; first on line 1"),
        ('{"agent": "a"} {"agent": "b"}', "policy.json:1:16: not JSON: extra data"),
        ("agent: a\n", "policy.json:1:1: not JSON: expecting value"),
    ],
)
def test_json_files_must_be_json(text: str, expected: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"policy.json": text}, TOOLS)
    assert [str(one).splitlines()[0].startswith(expected) for one in caught.value.problems] == [True], str(caught.value)


def test_an_undefined_list_is_said_once() -> None:
    text = rule("conditions: {parameters: {currency: {in: {list: nope}, matches: 5}}}")
    assert problems(text) == [
        "policy.yaml:5:53: allowed_tools[0].conditions.parameters.currency.in.list: no list 'nope' is defined",
        "policy.yaml:5:69: allowed_tools[0].conditions.parameters.currency.matches: must be a text, not the number 5",
    ]


def test_a_wrong_definition_is_said_where_it_is_defined_and_nowhere_else() -> None:
    define = "define: {lists: {a: []}, patterns: {p: '['}, time_windows: {w: {zone: Berlin}}}\n---\n"
    used = "{currency: {in: {list: a}, matches: {pattern: p}}}"
    text = define + rule(f"conditions: {{parameters: {used}, context: {{time: {{within: [w]}}}}}}")
    assert [one.split(": ")[1] for one in problems(text)] == [
        "define.lists.a", "define.patterns.p", "define.time_windows.w.zone",
    ]  # fmt: skip


def test_a_tool_whose_file_breaks_off_is_not_called_unknown_as_well() -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": rule("", tool="z")}, {"t.yaml": "tool: x\nhost: [\n---\ntool: z\n"})
    assert [problem.path for problem in caught.value.problems] == ["t.yaml"]


def test_a_template_with_a_mistake_of_its_own_is_not_called_missing_as_well() -> None:
    assert problems("template: t\nalowed_tools: []\n---\nagent: a\nextends: t\n") == [
        "policy.yaml:2:1: alowed_tools: unknown key 'alowed_tools'; did you mean 'allowed_tools'?"
    ]


def test_definitions_that_cannot_be_read_make_no_name_undefined() -> None:
    text = "define:\nlists:\n  a: [x]\n---\n" + rule("conditions: {parameters: {currency: {in: {list: a}}}}")
    (problem,) = problems(text)
    assert problem.startswith("policy.yaml:2:1: lists: the indentation is lost")


def test_all_problems_of_one_line_are_told() -> None:
    assert problems('{"agent": "a", "mode": "x", "owner": 5, "regions": "eu", "agnt": 1}') == [
        "policy.yaml:1:24: mode: must be 'enforce' or 'shadow', not the text 'x'",
        "policy.yaml:1:38: owner: must be a text, not the number 5",
        "policy.yaml:1:52: regions: must be a list, not the text 'eu'",
        "policy.yaml:1:58: agnt: unknown key 'agnt'; did you mean 'agent'?",
    ]


def test_the_documents_with_one_problem_do_not_hide_those_of_another() -> None:
    assert problems("agent: a\nowner: *x\n---\nagent: b\nowner: 5\n") == [
        "policy.yaml:2:8: owner: aliases (*name) are not allowed; write the value out",
        "policy.yaml:5:8: owner: must be a text, not the number 5",
    ]
