"""Figures of held calls, and who is said to approve without reading."""

from __future__ import annotations

from aegis_authz.approvals.oversight import Dimension, StampTerms, figures_of, stamps
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds

TERMS = StampTerms(3, 0.5, Seconds(3600))
KINDS = {kind.value: kind for kind in ApprovalEventKind}


def event(
    number: int, kind: str, person: str = "", seconds: float = 0, channel: str = "", **more: str
) -> ApprovalEvent:
    return ApprovalEvent(
        ApprovalId(f"apr_{number}"),
        Scope("acme", more.get("tenant", "emea"), "bot"),
        "stripe",
        "pay",
        (more.get("rule", "payments"),),
        ("finance",),
        KINDS[kind],
        person,
        channel,
        "",
        Epoch(1000 + seconds),
        Seconds(seconds),
    )


EVENTS = [
    *(event(number, "asked") for number in (1, 2, 3)),
    event(4, "asked", rule="deploys", tenant="apac"),
    event(1, "approved", "ann", 2.9, "page"),
    event(2, "denied", "ann", 60, "slack"),
    event(3, "approved", "bob", 3.0, "page"),
    event(3, "cancelled", "ann", 90, "api"),
    event(4, "expired", seconds=900, rule="deploys", tenant="apac"),
]


def rows(by: Dimension) -> dict[str, tuple[object, ...]]:
    return {
        row.key: (row.asked, row.approved, row.denied, row.cancelled, row.expired, row.median_seconds, row.hasty)
        for row in figures_of(EVENTS, by)
    }


def test_each_grouping_adds_up_what_people_did() -> None:
    assert rows(Dimension.PERSON) == {
        "ann": (3, 1, 1, 1, 0, 31.45, 1),
        "bob": (1, 1, 0, 0, 0, 3.0, 0),
        "": (1, 0, 0, 0, 1, None, 0),
    }
    assert rows(Dimension.CHANNEL) == {
        "page": (2, 2, 0, 0, 0, 2.95, 1),
        "slack": (1, 0, 1, 0, 0, 60, 0),
        "api": (1, 0, 0, 1, 0, None, 0),
        "": (1, 0, 0, 0, 1, None, 0),
    }
    assert rows(Dimension.RULE)["payments"] == (3, 2, 1, 1, 0, 3.0, 1)
    assert rows(Dimension.TENANT)["acme/apac"] == (1, 0, 0, 0, 1, None, 0)


def test_who_is_asked_most_stands_first() -> None:
    assert [row.key for row in figures_of(EVENTS, Dimension.RULE)] == ["payments", "deploys"]


def test_nothing_has_no_figures() -> None:
    assert figures_of([], Dimension.PERSON) == []
    assert stamps([], TERMS) == {}


def test_who_approves_most_in_under_three_seconds_approves_without_reading() -> None:
    events = [event(number, "approved", "ann", seconds) for number, seconds in enumerate((1, 2, 30, 40))]
    (stamp,) = stamps(events, TERMS).values()
    assert (stamp.person, stamp.approvals, stamp.hasty) == ("ann", 4, 2)
    assert str(stamp) == "2 of 4 approvals took less than 3 seconds"


def test_few_approvals_slow_ones_and_denials_are_no_stamps() -> None:
    few = [event(number, "approved", "ann", 1) for number in range(2)]
    slow = [event(number, "approved", "bob", seconds) for number, seconds in enumerate((1, 3, 3))]
    denials = [event(number, "denied", "eve", 1) for number in range(9)]
    assert stamps([*few, *slow, *denials], TERMS) == {}
