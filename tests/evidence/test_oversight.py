"""How people decided, from records: each verdict that came about, once, and how long it took."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalRecord, ApprovalStep, DecisionRecord, Record
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.oversight import Figures, Grouping, oversight_rows
from tests.support.made_records import DENIED, named

NOON = 1_800_000_000.0


def asked(name: str, time: float = NOON) -> DecisionRecord:
    return replace(
        DENIED,
        effect=Effect.APPROVAL_NEEDED,
        reason=Reason.APPROVAL_NEEDED,
        time=time,
        approval_id=name,
        identity=named("finance-agent"),
        policies=("paying",),
    )


def step(name: str, step: ApprovalStep, by: str, after: float, asked_at: float = NOON) -> ApprovalRecord:
    return ApprovalRecord(
        "d", asked_at + after, name, step, by, "", Scope("acme", "emea", "finance-agent"), "stripe", "pay", "x", "b",
        "r", ("paying",), asked_at, asked_at + 900,
    )  # fmt: skip


APPROVED, DENIAL, CANCELLED, EXPIRED, UNDONE = (
    ApprovalStep.APPROVED,
    ApprovalStep.DENIED,
    ApprovalStep.CANCELLED,
    ApprovalStep.EXPIRED,
    ApprovalStep.UNDONE,
)
RECORDS: list[Record] = [
    *(asked(name) for name in ("a", "b", "c", "d", "e")),
    asked("a", NOON + 1),  # asked again while it waits
    step("a", APPROVED, "ann", 60.0),
    step("b", DENIAL, "ben", 2.0),
    step("c", EXPIRED, "", 900.0),
    step("d", APPROVED, "ann", 1.0),
    step("d", CANCELLED, "ben", 5.0),
]


def test_what_was_asked_and_what_came_of_it() -> None:
    (row,) = oversight_rows(RECORDS, Grouping.TENANT, 0)
    assert row == Figures("acme/emea", 5, 2, 1, 1, 1, 2.0, 2)
    (row,) = oversight_rows(RECORDS, Grouping.RULE, 0)
    assert (row.key, row.asked) == ("paying", 5)


def test_by_person_each_has_their_own_verdicts_and_what_nobody_decided_is_nobodys() -> None:
    rows = {row.key: row for row in oversight_rows(RECORDS, Grouping.PERSON, 0)}
    assert rows == {
        "ann": Figures("ann", 2, 2, 0, 0, 0, 30.5, 1),
        "ben": Figures("ben", 2, 0, 1, 1, 0, 2.0, 1),
        "": Figures("", 1, 0, 0, 0, 1, None, 0),
    }


def test_a_verdict_that_did_not_come_about_counts_for_nothing() -> None:
    records = [
        asked("a"),
        step("a", APPROVED, "ann", 1.0),
        step("a", UNDONE, "ann", 1.1),
        step("a", DENIAL, "ben", 9.0),
    ]
    (row,) = oversight_rows(records, Grouping.TENANT, 0)
    assert (row.approved, row.denied, row.median_seconds, row.hasty) == (0, 1, 9.0, 0)


def test_what_was_asked_before_is_left_out() -> None:
    assert oversight_rows(RECORDS, Grouping.TENANT, NOON + 2000) == []


@given(st.permutations(RECORDS))
def test_the_order_of_records_does_not_matter(records: list[Record]) -> None:
    for by in Grouping:
        assert oversight_rows(records, by, 0) == oversight_rows(RECORDS, by, 0)
