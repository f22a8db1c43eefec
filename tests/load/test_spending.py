"""What the load of the pack `spending` finds: limits that held, and those that did not."""

from __future__ import annotations

import pytest

from aegis_authz.load.spending import TABLE, Played, Reply, Spent, excess_of

FINANCE, _, DEVOPS = TABLE


def reply(at: float, reason: str = "", fault: str = "", took: float = 0.01) -> Reply:
    return Reply(at, at, at + took, reason, fault)


def played(*replies: Reply, spent: Spent | None = None) -> Played:
    return Played(FINANCE, replies, spent)


@pytest.mark.parametrize(
    ("moments", "excess"),
    [
        ([], 0),
        ([0.0, 0.0, 0.0], 0),  # as many at once as in a second
        ([0.0, 0.0, 0.0, 0.34], 0),
        ([0.0, 0.0, 0.0, 0.1], 1),
        ([0.0, 0.0, 0.0, 0.1, 0.1], 2),
        ([5.0, 0.0, 5.0, 5.0, 5.0], 1),  # in whatever order they are told
        ([0.0, 0.34, 0.67, 1.01, 1.34, 1.67], 0),
    ],
)
def test_a_stretch_of_time_has_no_more_calls_than_it_may(moments: list[float], excess: int) -> None:
    assert excess_of([(moment, moment + 0.001) for moment in moments], 3) == excess


def test_a_call_that_took_long_may_have_been_decided_at_any_time_of_it() -> None:
    assert excess_of([(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.1, 1.0)], 3) == 0


def test_calls_that_pass_are_told_from_those_beyond_and_from_what_nobody_foresaw() -> None:
    replies = (reply(0), reply(0, "APPROVAL_NEEDED"), reply(0, "POLICY_DENIED"), reply(0, fault="ReadTimeout"))
    found = played(*replies, spent=Spent(0, 1, 500, "USD"))
    assert (found.passed, found.refused) == (1, {"APPROVAL_NEEDED": 1, "POLICY_DENIED": 1})
    assert found.faults == {"POLICY_DENIED": 1, "ReadTimeout": 1}
    assert found.excess == 0


def test_a_budget_that_the_mesh_does_not_tell_of_is_a_fault() -> None:
    assert Played(FINANCE, [reply(0)], None).faults == {"no budget among its limits": 1}
    assert Played(FINANCE, [reply(0)], Spent(0, 1, 500, "USD")).faults == {}
    assert Played(DEVOPS, [reply(0)], None).faults == {}


def test_more_used_than_the_budget_has_is_an_excess() -> None:
    assert played(spent=Spent(0, 500, 500, "USD")).excess == 0
    assert played(spent=Spent(0, 501, 500, "USD")).excess == 1


def test_latency_counts_from_when_a_call_was_due() -> None:
    late = Reply(due_at=1.0, sent_at=1.5, ended_at=2.0, reason="", fault="")
    assert played(late, reply(0, took=0.1), reply(0, fault="ReadTimeout", took=9)).quantile(0.99) == 1000
