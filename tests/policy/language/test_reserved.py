"""Words that do nothing are refused wherever they stand; words that have a place are sent there."""

from __future__ import annotations

import pytest

from aegis_authz.policy.language.reserved import ELSEWHERE, RESERVED, elsewhere, reserved
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: pay\nhost: pay.example\nmcp: {}\n"}
RULE = "agent: a\nallowed_tools:\n  - name: pay\n    actions: [send]\n"


def told(text: str) -> str:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": text}, TOOLS)
    (problem,) = caught.value.problems
    return problem.message


def everywhere(member: str) -> list[str]:
    """Documents with the member at the top, in a rule, in its conditions and in its obligations."""
    return [
        f"agent: a\n{member}\n",
        f"{RULE}    {member}\n",
        f"{RULE}    conditions: {{{member}}}\n",
        f"{RULE}    obligations: {{{member}}}\n",
    ]


@pytest.mark.parametrize(
    "word",
    ["webhook", "webhooks", "inject_credential", "credentials", "max_cost_per_call", "injectSecret", "inject-secret"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["5", "{max: 5}", "[x]", "", "{max: }"])
def test_what_is_not_enforced_yet_is_refused_at_every_place_and_said_once(word: str, value: str) -> None:
    for text in everywhere(f"{word}: {value}"):
        assert "not enforced yet" in told(text), text


@pytest.mark.parametrize("word", ["notify", "notification", "notifications", "alert", "alerts"])
def test_a_notice_belongs_into_an_approval_or_a_document(word: str) -> None:
    for text in everywhere(f"{word}: [x]")[int(word == "notify") :]:
        assert 'is written as approval: {notify: ["slack:#finance"]}' in told(text), text


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("budgets", "budget: 500 USD/day"),
        ("max_spend", "budget: 500 USD/day"),
        ("rate_limits", "rate_limit: 3/s"),
        ("rateLimits", "rate_limit: 3/s"),
        ("rate-limits", "rate_limit: 3/s"),
        ("THROTTLE", "rate_limit: 3/s"),
        ("calls_per_minute", "rate_limit: 3/s"),
        ("max_calls", "count: 100/day"),
        ("quota", "budget, rate_limit, count, distinct or concurrency"),
        ("on_limit", "on_exceed: approval_needed"),
        ("circuit_breaker", "breaker: {refusals: 5, within: 60s, quarantine: 15m}"),
        ("max_amount_per_day", "budget: {amount: ..., currency: ..., per: day, of: {parameter: ...}}"),
    ],
)
@pytest.mark.parametrize("value", ["5", "{max: 5}", "[x]", "", "{max: }"])
def test_a_word_that_is_near_one_of_limits_is_sent_to_it_from_every_place(word: str, place: str, value: str) -> None:
    for text in everywhere(f"{word}: {value}"):
        assert f"'{word}' is written as {place}" in told(text), text


@pytest.mark.parametrize("word", ["budget", "rate_limit", "on_exceed", "distinct", "requires"])
def test_a_word_of_limits_stands_in_a_rule_or_in_limits_and_not_in_conditions(word: str) -> None:
    assert "in a rule of allowed_tools" in told(f"{RULE}    conditions: {{{word}: 5}}\n")
    assert "in a rule of allowed_tools" in told(f"agent: a\n{word}: 5\n")


@pytest.mark.parametrize("word", ["priority", "order", "weight"])
def test_there_are_no_priorities(word: str) -> None:
    for text in everywhere(f"{word}: 5"):
        assert told(text) == f"'{word}' does not exist: the strictest answer always wins"


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("time_window", "conditions: {context: {time: {within: [...]}}}"),
        ("schedule", "conditions: {context: {time: {within: [...]}}}"),
        ("time", "conditions: {context: {time: {within: [...]}}}"),
        ("valid_until", "conditions: {context: {time: {within: [{from: 2026-01-01, until: 2026-12-31}]}}}"),
        ("environment", "conditions: {context: {environment: {equals: production}}}"),
        ("source", "conditions: {context: {source: {in_ranges: [10.0.0.0/8]}}}"),
        ("json_schema", "conditions: {schema: {...}}"),
        ("delegation", "conditions: {context: {on_behalf_of: {...}, acted_by: {...}}}"),
        ("deny", "denied_tools: [{name: ..., actions: [...]}]"),
        ("approval_required", "approval: {always: true}"),
    ],
)
def test_a_word_of_the_language_at_a_wrong_place_is_sent_to_the_right_one(word: str, place: str) -> None:
    for text in everywhere(f"{word}: x"):
        message = told(text)
        assert f"'{word}' is written as {place}" in message
        assert "not enforced" not in message


@pytest.mark.parametrize(
    "conditions",
    [
        "{schema: {type: object}}",
        "{context: {environment: {equals: production}, source: {in_ranges: [10.0.0.0/8]}}}",
        "{context: {time: {within: [{hours: '09:00-17:00'}]}, on_behalf_of: {equals: x}, acted_by: {count: {max: 1}}}}",
        "{parameters: {budget: {max: 5}, limit: {schema: {type: number}}, max_amount_per_day: {max: 5}}}",
        "{max_budget: 5}",
    ],
)
def test_the_same_words_are_taken_where_they_have_a_meaning(conditions: str) -> None:
    assert load({"p.yaml": f"{RULE}    conditions: {conditions}\n"}, TOOLS).policies


def test_a_document_of_a_tool_is_read_as_strictly() -> None:
    with pytest.raises(PolicyErrors, match="'rate_limit' is written as rate_limit: 3/s, in a rule of allowed_tools"):
        load({}, {"t.yaml": "tool: pay\nhost: pay.example\nmcp: {}\nrate_limit: 5\n"})


def test_no_word_is_both_kept_back_and_sent_elsewhere() -> None:
    assert RESERVED.keys().isdisjoint(ELSEWHERE)
    assert all(reserved(word) == RESERVED[word] for word in RESERVED)
    assert all(elsewhere(word) == ELSEWHERE[word] for word in ELSEWHERE)
    assert reserved("allowed_tools") is None
