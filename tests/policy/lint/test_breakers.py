"""Breakers that never trip, and what a real Redis says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aegis_authz.commands.lab import bench_of
from aegis_authz.lab.call_sources import PlacedCall
from aegis_authz.lab.calls import CallContext, TriedCall
from aegis_authz.lab.simulation import simulated_under
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.load import Loaded, load
from tests.support.linting import TOOL, codes, document, findings, paying

CODE = "breaker-never-trips"
HOUSE = "agent: '*'\norg: acme\nname: house\nowner: security\n"


def both(house: str, own: str) -> list[Finding]:
    text = f"{HOUSE}breaker: {{{house}}}\n---\n{paying('max_amount: 5')}breaker: {{{own}}}\n"
    return [finding for finding in findings(text) if finding.code == CODE]


@pytest.mark.parametrize(
    ("house", "own"),
    [
        ("refusals: 5", "refusals: 6"),
        ("refusals: 5", "refusals: 5"),
        ("refusals: 5", "forbidden_domain: 5"),
        ("refusals: 9, forbidden_domain: 1", "forbidden_domain: 2"),
        ("refusals: 5, within: 2m", "refusals: 5, within: 1m"),
        ("refusals: 5, quarantine: 20m", "refusals: 5, quarantine: 15m"),
    ],
)
def test_a_breaker_that_another_always_forestalls_is_told(house: str, own: str) -> None:
    (finding,) = both(house, own)
    assert finding.problem.field == "breaker"
    assert finding.problem.message == "never trips: that of 'house' always quarantines first"


@pytest.mark.parametrize(
    ("house", "own"),
    [
        ("refusals: 5", "refusals: 4"),
        ("forbidden_domain: 5", "refusals: 5"),
        ("refusals: 5, within: 30s", "refusals: 5, within: 1m"),
        ("refusals: 5", "refusals: 5, quarantine: 20m"),
        ("refusals: 5, within: 5m, quarantine: 1m", "refusals: 6, within: 5m, quarantine: 1m"),  # it goes on counting
        ("refusals: 2, within: 10s, quarantine: 10s", "refusals: 3, within: 10s, quarantine: 5s"),  # a 60th longer
        ("refusals: 5", "refusals: 6, forbidden_domain: 1"),
    ],
)
def test_a_breaker_that_may_trip_is_not(house: str, own: str) -> None:
    assert both(house, own) == []


def test_of_two_alike_the_later_is_told_and_agents_of_other_names_are_none_of_its_business() -> None:
    two = [document("breaker: {refusals: 5}\n", more=f"name: {name}\n") for name in ("a", "b")]
    (finding,) = [finding for finding in findings("---\n".join(two)) if finding.code == CODE]
    assert "that of 'a'" in finding.problem.message
    apart = [document("breaker: {refusals: 5}\n", agent=agent) for agent in ("a", "b*")]
    assert CODE not in codes("---\n".join(apart))


def test_a_breaker_in_a_shadow_document_is_told() -> None:
    (finding,) = [
        finding
        for finding in findings(document("breaker: {refusals: 5}\n", more="mode: shadow\n"))
        if finding.code == CODE
    ]
    assert finding.problem.message == "never trips: the breaker of a shadow document counts nothing"


@pytest.fixture(scope="module")
def bench(opa_binary: Path, redis_binary: Path) -> Iterator[Workbench]:
    with bench_of(limited("refusals: 1", "refusals: 1"), plays_sequences=True) as running:
        yield running


def limited(house: str, own: str) -> Loaded:
    text = f"{HOUSE}breaker: {{{house}}}\n---\n{paying('max_amount: 5')}" + (f"breaker: {{{own}}}\n" if own else "")
    return load({"p.yaml": text.replace("org: acme\n", "org: acme\ntenant: emea\n")}, {"t.yaml": TOOL})


TERMS = st.builds(
    lambda refusals, within, quarantine: f"refusals: {refusals}, within: {within}s, quarantine: {quarantine}s",
    st.integers(1, 4),
    st.sampled_from([10, 20, 60]),
    st.sampled_from([5, 10, 60, 90]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(TERMS, TERMS, st.lists(st.sampled_from([0, 1, 4, 9, 21, 61]), min_size=12, max_size=30))
def test_without_a_breaker_that_never_trips_everything_is_answered_alike(
    bench: Workbench, house: str, own: str, pauses: list[int]
) -> None:
    assume(both(house, own))
    call = TriedCall(agent="acme/emea/payer", tool="stripe-payments", action="refund")
    calls, second = [], 0
    for line, pause in enumerate(pauses, start=1):
        second += pause
        time = f"2026-03-02T10:{second // 60:02}:{second % 60:02}Z"
        calls.append(PlacedCall(call.model_copy(update={"context": CallContext(time=time)}), "c.yaml", line))
    reasons = [
        [call.reason for call in simulated_under(bench, limited(house, terms).compiled, calls, counts=True)]
        for terms in (own, "")
    ]
    assert reasons[0] == reasons[1]
