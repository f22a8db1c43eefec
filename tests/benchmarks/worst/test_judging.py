"""Every word of a condition has dear values, and a real OPA says what they cost."""

from __future__ import annotations

import pytest

from aegis_authz.policy.language.operators import OPERATORS
from benchmarks.worst.cases import KIB, Kind
from benchmarks.worst.conditions import BESIDE, NO_CONDITION, OPTIONAL, TRIALS
from benchmarks.worst.judging import costs, trials


def test_every_word_of_a_condition_has_dear_values() -> None:
    assert TRIALS.keys() == OPERATORS.keys()
    assert BESIDE.keys() == {NO_CONDITION, OPTIONAL}


def test_every_trial_has_an_agent_of_its_own() -> None:
    agents = [agent for _, agent, _ in trials()]
    assert len(set(agents)) == len(agents)


@pytest.mark.usefixtures("opa_binary")
async def test_every_value_is_judged_as_it_says_and_costs_something_beside_none() -> None:
    found = await costs(1, (2 * KIB,))
    assert {spent.case.subject for spent in found} == {*TRIALS, *BESIDE}
    assert len(found) == sum(1 for _ in trials())
    assert all(spent.case.kind is Kind.CONDITION and spent.microseconds >= 0 for spent in found)
    taking_in = [spent for spent in found if spent.case.subject == NO_CONDITION]
    assert all(spent.microseconds > 0 for spent in taking_in)
