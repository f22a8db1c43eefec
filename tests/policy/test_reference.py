"""The real Rego on a real OPA against a plain interpreter of the same language, on random documents and calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_authz.core.decision import Decision, InjectCredential, Redact, SetHeader
from aegis_authz.core.limit import Count, Limit
from aegis_authz.core.units import LimitId
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.limits import limits_of
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from tests.support.reference import Call, Outcome, decide
from tests.support.reference_documents import REGIONS, TOOLS, call, documents_and_waivers

TRUST = trust_to_data("lab", "lab", [], [], 300, 0)
CALLS_A_SET = 40
SEEDS = st.integers(0, 2**64)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(scope="module")
def opa(opa_binary: Any) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def drawn(seed: int) -> tuple[list[PolicyDocument], list[Call]]:
    """A set of documents and the calls made under it."""
    draw = Random(seed)  # noqa: S311  # no secret hangs on it
    read = [PolicyDocument.model_validate(one) for one in documents_and_waivers(draw)]
    return read, [call(draw) for _ in range(CALLS_A_SET)]


def decided(opa: LabOpa, read: list[PolicyDocument], asked: list[Call]) -> list[Outcome]:
    compiled = [*map(compiled_document, read)]
    opa.load(compile_policy(compiled, TOOLS, TRUST, "").data)
    limits = limits_of(compiled)
    return [_outcome(one, limits) for one in opa.decisions(list(asked))]


def _outcome(decision: object, limits: Mapping[LimitId, Limit]) -> Outcome:
    assert isinstance(decision, Decision), decision
    redactions: list[tuple[Any, ...]] = []
    headers: list[tuple[Any, ...]] = []
    for one in decision.obligations:
        match one:
            case Redact(target, detectors, fields):
                redactions.append((target.value, detectors, fields))
            case SetHeader(name, value):
                headers.append((name, ("set", value)))
            case InjectCredential(header, credential, prefix):
                headers.append((header, ("inject", credential, prefix)))
            case _:
                raise AssertionError("no call here asks for a list of tools")
    would = None if decision.would is None else decision.would.value
    met = frozenset(_counted(limits[one]) for one in decision.limits)
    return Outcome(decision.effect.value, decision.reason.value, (*redactions, *sorted(headers)), would, met)


def _counted(limit: Limit) -> tuple[str, int]:
    assert isinstance(limit.terms, Count)
    return limit.policy, limit.terms.most


def agree(opa: LabOpa, seed: int) -> None:
    read, asked = drawn(seed)
    for one, real in zip(asked, decided(opa, read, asked), strict=True):
        assert real == decide(read, one, REGIONS), (read, one)


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(SEEDS)
def test_thousands_of_calls_are_decided_as_the_reference_says(opa: LabOpa, seed: int) -> None:
    agree(opa, seed)


@pytest.mark.slow
@settings(max_examples=2500, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(SEEDS)
def test_a_hundred_thousand_calls_are_decided_as_the_reference_says(opa: LabOpa, seed: int) -> None:
    agree(opa, seed)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(SEEDS)
def test_explanations_tell_the_decision_that_is_made(opa: LabOpa, seed: int) -> None:
    read, asked = drawn(seed)
    real = decided(opa, read, asked)
    told: list[Any] = [one["decision"] for one in opa.explanations(list(asked))]
    assert [(one["effect"], one["reason"]) for one in told] == [(one.effect, one.reason) for one in real]


def test_what_is_drawn_meets_every_reason_and_uses_every_word() -> None:
    met: Counter[str] = Counter()
    words: Counter[str] = Counter()
    limited = 0
    for seed in range(150):
        read, asked = drawn(seed)
        outcomes = [decide(read, one, REGIONS) for one in asked]
        met.update(one.reason for one in outcomes)
        limited += sum(len(one.limits) > 1 for one in outcomes)
        rules = [rule for document in read for rule in (*document.allowed_tools, *document.denied_tools)]
        for asked_of in (one for rule in rules for named in rule.conditions.parameters.values() for one in named):
            words.update(name for name in type(asked_of).model_fields if getattr(asked_of, name) is not None)
    assert set(met) >= {
        *("ALLOWED", "SANITIZED", "APPROVAL_NEEDED", "SHADOWED", "POLICY_ABSENT", "POLICY_DENIED"),
        *("PARAMETER_MISSING", "PARAMETER_TYPE", "TOOL_UNKNOWN", "EGRESS_DENIED"),
    }
    assert min(met.values()) > 5
    assert limited > 50, limited
    assert met["ALLOWED"] + met["SANITIZED"] + met["APPROVAL_NEEDED"] > 600
    assert {name for name, count in words.items() if count > 2} >= set(type(asked_of).model_fields)
