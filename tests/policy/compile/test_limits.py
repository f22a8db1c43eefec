"""Limits of documents as values of the core: their ids, whose calls they count, and what happens beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.decision import ApprovalTerms, kind_of
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import Exceed, Flags, Limit, Per
from aegis_authz.policy.bundle.limit_data import breakers_from_data, breakers_to_data, limits_from_data, limits_to_data
from aegis_authz.policy.bundle.snapshot import snapshot_from_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.limits import breakers_of, limited_calls, limits_of
from aegis_authz.policy.load import Loaded, load
from aegis_authz.wire.opa.obligations import obligations_from_data
from tests.support.forms import written_out

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n---\ntool: shop\nhost: shop.example\nmcp: {}\n"}
PAY = "  - {name: bank, actions: [pay], "


def loaded(*documents: str) -> Loaded:
    return load({f"p{number}.yaml": text for number, text in enumerate(documents)}, TOOLS)


def limits(*documents: str) -> list[Limit]:
    return [*limits_of(loaded(*documents).compiled).values()]


def ids(*documents: str) -> dict[str, str]:
    """Ids by the names people read."""
    return {limit.name: limit.id for limit in limits(*documents)}


def rules(*members: str, head: str = "agent: a\n") -> str:
    return f"{head}allowed_tools:\n" + "".join(f"{PAY}{member}}}\n" for member in members)


def entries(*members: str, head: str = 'agent: "*"\n') -> str:
    return f"{head}limits:\n" + "".join(f"  - {{{member}}}\n" for member in members)


def test_what_is_counted_makes_the_id_and_how_much_of_it_does_not() -> None:
    def only(member: str) -> str:
        (limit,) = limits(rules(member))
        return limit.id

    before = only("budget: 500 USD/day")
    assert only("budget: 600 USD/day") == before
    assert only("budget: {amount: 5, currency: USD, per: day, on_exceed: observe}") == before
    assert only("budget: 500 EUR/day") != before
    assert only("budget: 500 USD/month") != before
    assert only("budget: {amount: 500, currency: USD, per: day, zone: Europe/Berlin}") != before
    assert only("budget: {amount: 500, currency: USD, per: day, of: {parameter: amount}}") != before
    assert only("rate_limit: 3/s") == only("rate_limit: {calls: 9, per: second, burst: 1}") != only("rate_limit: 3/min")
    assert only("count: 3/day") != only("distinct: {parameter: payee, max: 3, per: day}")


def test_publishing_something_else_changes_no_id() -> None:
    (limit,) = limits(rules("budget: 500 USD/day"))
    more = rules("budget: 500 USD/day", "conditions: {max_amount: 5}, count: 9/day", head="agent: a\ndescription: x\n")
    others = (rules("budget: 500 USD/day", head="agent: b\n"), entries("budget: 500 USD/day"))
    assert [found.id for found in limits(more, *others)].count(limit.id) == 1


def test_the_same_words_at_different_places_are_different_limits() -> None:
    everywhere = limits(
        rules("budget: 500 USD/day"),
        rules("budget: 500 USD/day", head="agent: b\n"),
        entries("budget: 500 USD/day"),
        entries("budget: 500 USD/day, per: agent", head='agent: "*"\nname: other\n'),
        entries("tools: [bank], budget: 500 USD/day", head='tenant: t\nagent: "*"\n'),
    )
    assert len({limit.id for limit in everywhere}) == 5


def test_a_name_keeps_the_id_of_an_entry_whose_tools_change() -> None:
    (before,) = limits(entries("name: spend, tools: [bank], budget: 500 USD/day"))
    (after,) = limits(entries("name: spend, tools: [bank, shop], budget: 500 USD/day"))
    (unnamed,) = limits(entries("tools: [bank], budget: 500 USD/day"))
    assert before.id == after.id != unnamed.id


def test_two_limits_that_count_the_same_are_told_apart_by_strictness_in_whatever_order_they_stand() -> None:
    soft = "{amount: 400, currency: USD, per: day, on_exceed: approval_needed}"
    first, second = ids(rules(f"budget: [{soft}, 500 USD/day]")), ids(rules(f"budget: [500 USD/day, {soft}]"))
    assert first == second
    assert len(set(first.values())) == 2
    alone = ids(rules("budget: 500 USD/day"))
    assert alone.items() <= first.items()


def test_two_entries_and_two_rules_about_the_same_calls_are_different_limits() -> None:
    both = entries("count: 9/day", "count: 8/day", "tools: [bank], count: 9/day")
    assert len({limit.id for limit in limits(both)}) == 3
    assert ids(both) == ids(entries("tools: [bank], count: 9/day", "count: 8/day", "count: 9/day"))
    assert len({limit.id for limit in limits(rules("count: 9/day", "count: 8/day"))}) == 2


@pytest.mark.parametrize(
    ("document", "per"),
    [
        (rules("count: 9/day"), Per.AGENT),
        (rules("count: 9/day", head="agent: a*\n"), Per.AGENT),
        (rules("count: 9/day, per: tenant", head="agent: a*\n"), Per.TENANT),
        (entries("count: 9/day"), Per.TENANT),
        (entries("count: 9/day, per: agent"), Per.AGENT),
        (entries("sets: [x]"), Per.AGENT),
    ],
)
def test_a_document_about_all_agents_counts_them_together_unless_it_says_otherwise(document: str, per: Per) -> None:
    assert [limit.per for limit in limits(document)] == [per]


def test_the_limits_own_word_wins_over_that_of_its_rule_and_flags_have_an_else() -> None:
    document = rules(
        "on_exceed: observe, count: {max: 1, per: day, on_exceed: approval_needed}, rate_limit: 3/s, "
        "requires: [a], unless: {flags: [b], else: approval_needed}, approval: {groups: [g], expires_in: 60, approvals: 2, confirm: [amount], notify: ['slack:#g']}"
    )
    exceeds = {limit.name: limit.on_exceed for limit in limits(document)}
    assert exceeds == {
        "1 call a day (bank)": Exceed.APPROVAL_NEEDED,
        "3 calls a second (bank)": Exceed.OBSERVE,
        "requires a (bank)": Exceed.DENY,
        "unless b (bank)": Exceed.APPROVAL_NEEDED,
    }
    terms = {limit.approval for limit in limits(document)}
    assert terms == {
        None,
        ApprovalTerms(("g",), 60.0, 2, ("amount",), ("slack:#g",), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
    }


def test_what_is_redacted_beyond_a_limit_is_that_of_its_entry_or_rule() -> None:
    sanitize = "sanitize: {response: {detectors: [iban], match: loose}, request: {fields: [/a]}}"
    for document in (
        rules(f"count: 9/day, on_exceed: sanitize, {sanitize}"),
        entries(f"count: 9/day, on_exceed: sanitize, {sanitize}"),
    ):
        (limit,) = limits(document)
        assert limit.on_exceed is Exceed.SANITIZE
        assert [kind_of(obligation) for obligation in obligations_from_data([*limit.obligations])] == [
            *("redact", "redact", "redaction_terms"),
        ]


def test_a_limit_that_sanitizes_without_redactions_denies() -> None:
    (limit,) = limits(rules("count: 9/day, on_exceed: sanitize"))
    assert (limit.on_exceed, limit.obligations) == (Exceed.DENY, ())


def test_each_word_of_order_is_a_limit_of_its_own() -> None:
    document = rules("sets: {flags: [b, a], life: 1h}, requires: [c], unless: [d]")
    terms = [limit.terms for limit in limits(document)]
    assert all(isinstance(term, Flags) for term in terms)
    assert {(term.sets, term.requires, term.unless, term.life) for term in terms if isinstance(term, Flags)} == {
        (("a", "b"), (), (), 3_600_000),
        ((), ("c",), (), 86_400_000),
        ((), (), ("d",), 86_400_000),
    }


def test_a_document_that_only_observes_limits_nothing() -> None:
    shadow = rules("count: 9/day", head="agent: a\nmode: shadow\nbreaker: {refusals: 5}\n")
    assert limits(shadow) == []
    assert breakers_of(loaded(shadow).compiled) == {}


def test_limits_of_a_template_are_those_of_each_document_that_extends_it() -> None:
    template = "template: house\nlimits:\n  - {count: 9/day}\n"
    documents = (template, "agent: a\nextends: house\n", "agent: b\nextends: house\nlimits:\n  - {count: 9/day}\n")
    assert len(ids(*documents)) == 1
    assert len({limit.id for limit in limits(*documents)}) == 3
    places = [
        (calls.origin, compiled.at)
        for policy in loaded(*documents).compiled
        for calls in limited_calls(policy)
        for compiled in calls.limits
    ]
    assert places == [
        ("house", ("limits", 0, "count", 0)),
        ("", ("limits", 0, "count", 0)),
        ("house", ("limits", 0, "count", 0)),
    ]


def test_breakers_are_those_of_their_scopes() -> None:
    text = "org: acme\nagent: {}\nbreaker: {{refusals: 5, within: 30s}}\n"
    breakers = breakers_of(loaded(text.format("a"), text.format('"b*"')).compiled)
    assert breakers.keys() == {"acme/*/a", "acme/*/b*"}
    (breaker,) = breakers["acme/*/a"]
    assert (breaker.refusals, breaker.forbidden_domain, breaker.within, breaker.quarantine) == (
        5,
        None,
        30_000,
        900_000,
    )
    assert breakers_from_data(breakers_to_data(breakers)).by_scope == breakers


EVERYTHING = (
    rules(
        "budget: [5 USD/day, {amount: 1, currency: EUR, per: 24h, of: {parameter: cents, unit: 0.01, "
        "currency_parameter: ccy}}], rate_limit: 3/s, count: 9/week, distinct: {parameter: payee, max: 3, per: 90m}, "
        "concurrency: 2, sets: [a], requires: [b], unless: [c], on_exceed: approval_needed"
    ),
    entries(
        "name: all, budget: 500 USD/month, rate_limit: 100/min", head='agent: "*"\nbreaker: {forbidden_domain: 1}\n'
    ),
)


def test_the_table_of_a_bundle_is_read_back_as_what_was_compiled(trust: dict[str, Json]) -> None:
    documents = loaded(*EVERYTHING)
    compiled = compile_policy(documents.compiled, documents.tools, trust, "")
    aegis: Any = compiled.data["aegis"]
    snapshot = snapshot_from_data(aegis["snapshot"])
    assert dict(snapshot.limits) == limits_of(documents.compiled)
    assert len(snapshot.limits) == 11
    assert snapshot.breakers.by_scope == breakers_of(documents.compiled)
    assert limits_from_data(limits_to_data(snapshot.limits)) == snapshot.limits


def test_every_id_that_policy_can_answer_is_in_the_table(trust: dict[str, Json]) -> None:
    documents = loaded(*EVERYTHING)
    aegis: Any = compile_policy(documents.compiled, documents.tools, trust, "").data["aegis"]

    def named(value: Any, within: bool = False) -> set[str]:
        if isinstance(value, dict):
            return {found for key, member in value.items() for found in named(member, within or key == "limits")}
        if isinstance(value, list):
            return {found for member in value for found in named(member, within)}
        return {value} if within and isinstance(value, str) else set()

    assert named(written_out(aegis["policies"])) == set(aegis["snapshot"]["limits"])
