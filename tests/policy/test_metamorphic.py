"""What a change of the documents may do to decisions, on random documents and the real OPA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.wire.opa.answer import parameters_under
from aegis_authz.wire.spellings import spellings
from tests.support.reference_documents import TOOLS, call, documents, documents_and_waivers, standing

TRUST = trust_to_data("lab", "lab", [], [], 300, 0)
CALLS_A_SET = 40
SEEDS = st.integers(0, 2**64)
SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Written = list[dict[str, Any]]


@pytest.fixture(scope="module")
def opa(opa_binary: Any) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def decided(opa: LabOpa, written: Written, asked: list[dict[str, Any]]) -> list[Decision]:
    read = [PolicyDocument.model_validate(one) for one in written]
    opa.load(compile_policy([*map(compiled_document, read)], TOOLS, TRUST, "").data)
    found = opa.decisions(list(asked))
    assert all(isinstance(one, Decision) for one in found)
    return [one for one in found if isinstance(one, Decision)]


def before_and_after(
    opa: LabOpa, seed: int, change: Callable[[Random, Written], Written]
) -> Iterator[tuple[dict[str, Any], Decision, Decision]]:
    draw = Random(seed)  # noqa: S311  # no secret hangs on it
    written = documents(draw)
    asked = [call(draw) for _ in range(CALLS_A_SET)]
    # shadow documents let through what no document covers: these are about those that decide
    written = [{**one, "mode": "enforce"} for one in written]
    first = decided(opa, written, asked)
    yield from zip(asked, first, decided(opa, change(draw, written), asked), strict=True)


NOISE = ("note", "Payload", "x-trace", "AMOUNT[]", "a.b", "\uff41mount", "amount ", "Amount")
"""Names that calls have beside those that conditions look at, and such as some reader takes for one of them."""


def noisy(draw: Random, question: dict[str, Any]) -> dict[str, Any]:
    action = question["action"]
    beside = {name: draw.choice([1, "text", None, {"amount": 7}, [3]]) for name in NOISE if draw.random() < 0.4}
    parameters = {**beside, **action["properties"]}
    forms = spellings(parameters)
    return {**question, "action": {**action, "properties": parameters, **({"spellings": forms} if forms else {})}}


def excerpt(question: dict[str, Any], roots: frozenset[str] | None) -> dict[str, Any]:
    action = question["action"]
    return {**question, "action": {**action, "properties": parameters_under(action["properties"], roots)}}


@SETTINGS
@given(SEEDS)
def test_what_no_condition_looks_at_is_decided_alike_when_it_is_not_told(opa: LabOpa, seed: int) -> None:
    draw = Random(seed)  # noqa: S311  # no secret hangs on it
    read = [PolicyDocument.model_validate(written) for written in documents_and_waivers(draw)]
    compiled = compile_policy([*map(compiled_document, read)], TOOLS, TRUST, "")
    roots = compiled.snapshot.roots
    opa.load(compiled.data)
    asked = [noisy(draw, call(draw)) for _ in range(CALLS_A_SET)]
    assert opa.decisions([excerpt(question, roots) for question in asked]) == opa.decisions(list(asked))


def test_calls_are_told_without_what_no_condition_looks_at() -> None:
    counts = {"whole": 0, "less": 0}
    for seed in range(60):
        draw = Random(seed)  # noqa: S311  # no secret hangs on it
        read = [PolicyDocument.model_validate(written) for written in documents(draw)]
        roots = compile_policy([*map(compiled_document, read)], TOOLS, TRUST, "").snapshot.roots
        question = noisy(draw, call(draw))
        counts["whole" if excerpt(question, roots) == question else "less"] += 1
    assert counts["less"] > 20
    assert counts["whole"] > 0


def changed(draw: Random, written: Written, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Written:
    """One of the documents changed."""
    at = draw.randrange(len(written))
    return [change(one) if position == at else one for position, one in enumerate(written)]


@SETTINGS
@given(SEEDS)
def test_a_rule_that_denies_never_makes_a_decision_milder(opa: LabOpa, seed: int) -> None:
    denial = {"name": "bank", "actions": ["pay"], "conditions": {"parameters": {"amount": {"over": 3}}}}

    def add(draw: Random, written: Written) -> Written:
        return changed(draw, written, lambda one: {**one, "denied_tools": [*one.get("denied_tools", []), denial]})

    for asked, first, after in before_and_after(opa, seed, add):
        assert first.effect <= after.effect, asked


@SETTINGS
@given(SEEDS)
def test_without_the_rules_that_list_an_action_it_is_never_let_through(opa: LabOpa, seed: int) -> None:
    def drop(_: Random, written: Written) -> Written:
        return [
            {**one, "allowed_tools": [rule for rule in one["allowed_tools"] if not {"pay", "*"} & set(rule["actions"])]}
            for one in written
        ]

    for asked, _, after in before_and_after(opa, seed, drop):
        if asked["action"]["name"] == "pay":
            assert not after.effect.lets_through, asked


def _bounded(rule: dict[str, Any]) -> dict[str, Any]:
    """With a bound on a parameter that nothing else in the rule is about."""
    if "limit" in str(rule):
        return rule
    conditions = rule.get("conditions", {})
    more = {**conditions.get("parameters", {}), "limit": {"max": 5}}
    return {**rule, "conditions": {**conditions, "parameters": more}}


@SETTINGS
@given(SEEDS)
def test_one_more_condition_never_makes_a_decision_milder(opa: LabOpa, seed: int) -> None:
    def add(draw: Random, written: Written) -> Written:
        def narrower(one: dict[str, Any]) -> dict[str, Any]:
            return {**one, "allowed_tools": [_bounded(rule) for rule in one["allowed_tools"]]}

        return changed(draw, written, narrower)

    for asked, first, after in before_and_after(opa, seed, add):
        assert first.effect <= after.effect, asked


@SETTINGS
@given(SEEDS)
def test_a_stricter_bound_never_makes_a_decision_milder(opa: LabOpa, seed: int) -> None:
    def stricter(_: Random, written: Written) -> Written:
        def lower(rule: dict[str, Any]) -> dict[str, Any]:
            conditions = rule.get("conditions", {})
            bound = conditions.get("max_amount")
            return rule if bound is None else {**rule, "conditions": {**conditions, "max_amount": max(0, bound - 2)}}

        return [{**one, "allowed_tools": [lower(rule) for rule in one["allowed_tools"]]} for one in written]

    def simple(one: dict[str, Any]) -> dict[str, Any]:
        rule = {"name": "bank", "actions": ["pay"], "conditions": {"max_amount": 10}}
        return {**one, "allowed_tools": [*one["allowed_tools"], rule]}

    draw = Random(seed)  # noqa: S311  # no secret hangs on it
    written = [simple({**one, "mode": "enforce"}) for one in documents(draw)]
    asked = [call(draw) for _ in range(CALLS_A_SET)]
    kept = [one for one in written if not _contradicts(stricter(draw, [one]))]
    if kept:
        pairs = zip(asked, decided(opa, kept, asked), decided(opa, stricter(draw, kept), asked), strict=True)
        for made, first, after in pairs:
            assert first.effect <= after.effect, made


def _contradicts(written: Written) -> bool:
    """Whether a bound was moved beyond another one, which the loader refuses."""
    try:
        compile_policy([compiled_document(PolicyDocument.model_validate(one)) for one in written], TOOLS, TRUST, "")
    except ValueError:
        return True
    return False


@SETTINGS
@given(SEEDS)
def test_documents_of_others_change_nothing(opa: LabOpa, seed: int) -> None:
    strangers: Written = [
        {"org": "p", "agent": "*", "denied_tools": [{"name": "bank", "actions": ["*"]}]},
        {"org": "o", "tenant": "t", "agent": "zz*", "regions": ["mars"]},
        {"org": "o", "tenant": "x", "agent": "a", "allowed_tools": [{"name": "bank", "actions": ["*"]}]},
    ]
    for asked, first, after in before_and_after(opa, seed, lambda _, written: [*strangers, *written]):
        assert replaced(first) == replaced(after), asked


@SETTINGS
@given(SEEDS)
def test_the_order_of_documents_rules_and_keys_changes_nothing(opa: LabOpa, seed: int) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(inner) for name, inner in reversed(value.items())}
        return value

    def turn(_: Random, written: Written) -> Written:
        return [
            {**turned(one), "allowed_tools": [turned(rule) for rule in reversed(one["allowed_tools"])]}
            for one in reversed(written)
        ]

    for asked, first, after in before_and_after(opa, seed, turn):
        assert replaced(first) == replaced(after), asked


def replaced(decision: Decision) -> tuple[Any, ...]:
    """What must stay the same: all but the revision, and the names and order in which it is told."""
    terms = decision.approval and (decision.approval.groups, decision.approval.expires_in)
    return decision.effect, decision.reason, decision.obligations, terms, decision.would, decision.limits


@SETTINGS
@given(SEEDS)
def test_a_limit_more_changes_no_decision_and_takes_no_other_limit_away(opa: LabOpa, seed: int) -> None:
    def add(draw: Random, written: Written) -> Written:
        entry = {"count": {"max": 7, "per": "week"}}
        return changed(draw, written, lambda one: {**one, "limits": [*one.get("limits", []), entry]})

    for asked, first, after in before_and_after(opa, seed, add):
        assert replaced(first)[:-1] == replaced(after)[:-1], asked
        assert set(first.limits) <= set(after.limits), asked


@SETTINGS
@given(SEEDS)
def test_how_much_is_allowed_changes_neither_decisions_nor_the_ids_of_limits(opa: LabOpa, seed: int) -> None:
    def raised(value: Any) -> Any:
        if isinstance(value, list):
            return [raised(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        count = value.get("count")
        more = {"count": {**count, "max": count["max"] + 100}} if isinstance(count, dict) and "per" in count else {}
        return {name: raised(inner) for name, inner in {**value, **more}.items()}

    for asked, first, after in before_and_after(opa, seed, lambda _, written: [raised(one) for one in written]):
        assert replaced(first) == replaced(after), asked


@SETTINGS
@given(SEEDS)
def test_a_waiver_lets_through_nothing_but_what_was_held(opa: LabOpa, seed: int) -> None:
    for made, first, after in before_and_after(opa, seed, lambda draw, written: [*written, standing(draw)]):
        if first.effect is Effect.APPROVAL_NEEDED:
            assert after.effect is not Effect.DENY, made
            assert set(first.limits) == set(after.limits), made
        else:
            assert (first.effect, first.obligations) == (after.effect, after.obligations), made
