"""The `limits` and the `breaker` of a document."""

from __future__ import annotations

import pytest

from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {
    "t.yaml": "tool: bank\nhost: bank.example\nactions:\n  pay:\n    match: POST /pay\n    parameters:\n"
    "      amount: {from: /amount, type: number}\n      payee: {from: /payee, type: string}\n"
    "---\ntool: hub\nhost: hub.example\nmcp: {}\n"
    "---\ntool: shop\nhost: shop.example\nactions: {order: {match: POST /o}}\n"
    "---\ntool: mail\nhost: mail.example\nmcp: {tools: {send: {}}}\n"
}


def told(text: str) -> list[tuple[str, str]]:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": text}, TOOLS, {"us_ssn"})
    return [(problem.field, problem.message) for problem in caught.value.problems]


def entry(members: str, agent: str = '"*"') -> str:
    return f"agent: {agent}\nlimits:\n  - {{{members}}}\n"


@pytest.mark.parametrize(
    "members",
    [
        "budget: 500 USD/day",
        "tools: [bank, hub], rate_limit: 3/s",
        "tools: [bank], actions: [pay], distinct: {parameter: payee, max: 3, per: day}",
        "tools: [hub], actions: [tools/list], count: 100/day",
        'tools: [bank], actions: ["*"], count: 100/day, per: agent',
        "tools: [bank, shop, hub], actions: [pay, order], count: 100/day",
        "tools: [hub, mail], actions: [tools/list], count: 100/day",
        "name: reads, count: 9/day, on_exceed: sanitize, sanitize: {response: {detectors: [us_ssn]}}",
        "count: 9/day, on_exceed: approval_needed, approval: {groups: [finance]}",
        "unless: {flags: [x], else: approval_needed}, approval: {expires_in: 60}",
    ],
)
def test_an_entry_may_limit_all_calls_or_those_of_tools_and_actions(members: str) -> None:
    assert load({"p.yaml": entry(members)}, TOOLS, {"us_ssn"}).policies[0].limits


@pytest.mark.parametrize(
    ("members", "field", "message"),
    [
        ("tools: [bank]", "limits[0]", "limits nothing"),
        ("actions: [pay], count: 9/day", "limits[0]", "name the tools, too"),
        ("tools: [bnak], count: 9/day", "limits[0].tools[0]", "no tool 'bnak' in the catalogue; did you mean 'bank'?"),
        (
            "tools: [bank], actions: [pya], count: 9/day",
            "limits[0].actions[0]",
            "none of the tools has an action 'pya'",
        ),
        ("tools: [bank], actions: [tools/list], count: 9/day", "limits[0].actions[0]", "none of the tools has"),
        (
            "tools: [bank, shop], actions: [pay], count: 9/day",
            "limits[0].tools[1]",
            "limits nothing of 'shop', which has no action 'pay'",
        ),
        (
            "tools: [mail, hub, bank], actions: [pay, order], count: 9/day",
            "limits[0].tools[0]",
            "limits nothing of 'mail', which has no action 'pay', 'order'",
        ),
        ('tools: [bank], actions: [pay, "*"], count: 9/day', "limits[0].actions[1]", "already means every action"),
        ("count: 9/day, sanitize: {response: {detectors: [us_ssn]}}", "limits[0].sanitize", "add on_exceed: sanitize"),
        (
            "count: 9/day, on_exceed: sanitize, sanitize: {response: {detectors: [ssn]}}",
            "limits[0].sanitize.response.detectors[0]",
            "no detector 'ssn'",
        ),
        ("count: 9/day, approval: {groups: [a]}", "limits[0].approval", "add on_exceed: approval_needed"),
        (
            "count: 9/day, on_exceed: approval_needed, approval: {always: true}",
            "limits[0].approval.always",
            "put always into a rule",
        ),
        (
            "tools: [bank], budget: {amount: 5, currency: EUR, per: day, of: {parameter: amuont}}",
            "limits[0].budget.of.parameter",
            "declares no parameter 'amuont'; did you mean 'amount'?",
        ),
        (
            "tools: [bank], budget: {amount: 5, currency: EUR, per: day, of: {parameter: payee}}",
            "limits[0].budget.of.parameter",
            "is a string in the catalogue, which cannot be counted here",
        ),
        ("requires: [a], unless: [a]", "limits[0].unless", "'a' is required, too"),
        ("count: [9/day, 9/day]", "limits[0].count[1]", "is written twice"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(members: str, field: str, message: str) -> None:
    ((where, words),) = told(entry(members))
    assert where == field
    assert message in words


def test_a_limit_of_the_tenant_stands_in_a_document_about_all_its_agents() -> None:
    ((field, message),) = told(entry("count: 9/day, per: tenant", "payer"))
    assert (field, 'agent: "*"' in message) == ("limits[0].per", True)
    assert load({"p.yaml": entry("count: 9/day, per: tenant", "pay*")}, TOOLS).policies


def test_two_entries_have_two_names() -> None:
    text = 'agent: "*"\nlimits:\n  - {name: a, count: 9/day}\n  - {name: a, count: 8/day}\n'
    assert told(text) == [("limits[1].name", "another entry is called 'a'")]


def test_a_template_has_limits_and_no_breaker() -> None:
    text = "template: house\nlimits:\n  - {count: 9/day}\n---\nagent: a\nextends: house\nlimits:\n  - {count: 8/day}\n"
    (document,) = load({"p.yaml": text}, TOOLS).policies
    assert [entry.origin for entry in document.limits] == ["", "house"]
    ((field, _),) = told("template: house\nbreaker: {refusals: 5}\n")
    assert field == "breaker"


@pytest.mark.parametrize(
    ("terms", "field", "message"),
    [
        ("{within: 60s}", "breaker", "must have refusals or forbidden_domain or both"),
        ("{refusals: 0}", "breaker.refusals", "must be more than 0"),
        ("{refusals: 5, within: 60}", "breaker.within", "must be a text"),
        ("{refusals: 5, quarantine: always}", "breaker.quarantine", "is not a duration"),
    ],
)
def test_a_breaker_counts_something_within_a_time(terms: str, field: str, message: str) -> None:
    ((where, words),) = told(f"agent: a\nbreaker: {terms}\n")
    assert where == field
    assert message in words
