"""The mistakes one could make in a limit: each is a mutant, and each is a document."""

from __future__ import annotations

from aegis_authz.lab.mutants import Mutants, mutants_of
from aegis_authz.policy.load import load

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}


def mutants(text: str) -> Mutants:
    return mutants_of(load({"p.yaml": f"agent: a\n{text}\n"}, TOOLS).loaded_policies)


def words(members: str) -> set[str]:
    """What the mutants of one rule's limits say."""
    found = mutants(f"allowed_tools:\n  - {{name: bank, actions: [pay], {members}}}")
    return {one.words for one in found.distinct} - {"mode is shadow", "the rule for bank is removed"}


def test_short_forms_are_changed_as_full_ones_are() -> None:
    expected = {
        "budget 500 USD/day is removed",
        "budget amount 500 became 501",
        "budget per day became hour",
        "on_exceed of the limits is observe",
    }
    assert words("budget: 500 USD/day") == expected
    full = words("budget: {amount: 500, currency: USD, per: day}")
    assert {word.replace("{amount, currency, per}", "500 USD/day") for word in full} == expected


def test_every_word_of_limits_has_its_mutants() -> None:
    assert words("rate_limit: {calls: 3, per: minute, burst: 2}") >= {
        "rate_limit calls 3 became 4",
        "rate_limit burst 2 became 3",
        "rate_limit per minute became second",
    }
    assert "count max 5 became 6" in words("count: 5/24h")
    assert "per 24h became 43200s" in words("count: 5/24h")
    assert "distinct max 3 became 4" in words("distinct: {parameter: p, max: 3, per: day}")
    assert "concurrency max 2 became 3" in words("concurrency: 2")
    assert {"count 5/day is removed", "count 9/week is removed", "count max 9 became 10"} <= words(
        "count: [5/day, 9/week]"
    )
    assert {"sets [a, b] is removed", "flag of sets a is removed", "life 1h became 1800s"} <= words(
        "sets: {flags: [a, b], life: 1h}"
    ) | words("sets: [a, b]")
    assert {"requires [a] is removed", "else of requires is approval_needed"} <= words("requires: [a]")
    assert "else of unless is deny" in words("unless: {flags: [a], else: approval_needed}")
    assert {"on_exceed of count is observe", "on_exceed of count is deny"} <= words(
        "count: {max: 5, per: day, on_exceed: approval_needed}"
    )


def test_entries_and_breakers_have_theirs() -> None:
    text = (
        "limits:\n  - {name: all, tools: [bank], actions: [pay, see], count: 5/day}\n  - {rate_limit: 3/s}\n"
        "breaker: {refusals: 5, forbidden_domain: 1, within: 60s, quarantine: 15m}"
    )
    assert {one.words for one in mutants(text).distinct} == {
        *("mode is shadow", "the entry all of limits is removed", "the entry 1 of limits is removed"),
        *("actions pay is removed", "actions see is removed", "actions are removed"),
        *("count max 5 became 6", "count per day became hour", "on_exceed of the limits is observe"),
        *("rate_limit calls 3 became 4", "breaker is removed", "refusals 5 is removed", "refusals 5 became 6"),
        *("forbidden_domain 1 is removed", "forbidden_domain 1 became 2", "within 60s became 30s"),
        "quarantine 15m became 450s",
    }


def test_a_mutant_of_an_amount_is_another_policy_though_it_has_the_same_ids() -> None:
    found = mutants("allowed_tools:\n  - {name: bank, actions: [pay], count: 5/day}")
    assert any(one.words == "count max 5 became 6" for one in found.distinct)
