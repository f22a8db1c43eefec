from __future__ import annotations

import pytest

from aegis_authz.evidence.retention import Extent, RetentionRule, plan_retention

YOUNG = RetentionRule(1000.0, None)
FINISHED = [Extent(number, number * 10 - 9, number * 10, number * 100.0, 50) for number in range(1, 6)]
SIZES = [50, 50, 50, 50, 50, 7]


@pytest.mark.parametrize(
    ("rule", "anchored", "retired", "why"),
    [
        (RetentionRule(1000.0, None), 60, 5, "it is open"),
        (RetentionRule(300.0, None), 60, 2, "it is too young"),
        (RetentionRule(100.0, None), 60, 0, "it is too young"),
        (RetentionRule(1000.0, 157), 60, 2, "the log is small enough"),
        (RetentionRule(1000.0, 156), 60, 3, "the log is small enough"),
        (RetentionRule(200.0, 0), 60, 1, "it is too young"),
        (RetentionRule(1000.0, 257), 60, 0, "the log is small enough"),
    ],
)
def test_the_oldest_go_first_and_none_that_is_too_young(
    rule: RetentionRule, anchored: int, retired: int, why: str
) -> None:
    plan = plan_retention("w", SIZES, FINISHED, rule, anchored)
    assert [extent.segment for extent in plan.extents] == list(range(1, retired + 1))
    assert (plan.staying, plan.size, plan.retired_size) == (6 - retired, 257, 50 * retired)
    assert plan.why.startswith(why)
    assert not plan.is_held_up


def test_what_no_anchor_covers_stays_however_old_it_is() -> None:
    plan = plan_retention("w", SIZES, FINISHED, YOUNG, 29)
    assert [extent.segment for extent in plan.extents] == [1, 2]
    assert (plan.why, plan.is_held_up) == ("no anchor covers it and a record behind it", True)
    assert plan_retention("w", SIZES, FINISHED, YOUNG, 0).extents == ()


def test_a_segment_stays_until_a_record_behind_it_is_anchored_so_that_its_writer_never_comes_back_to_it() -> None:
    plan = plan_retention("w", SIZES, FINISHED, YOUNG, 30)
    assert [extent.segment for extent in plan.extents] == [1, 2]
    assert [extent.segment for extent in plan_retention("w", SIZES, FINISHED, YOUNG, 31).extents] == [1, 2, 3]


def test_a_segment_that_was_sealed_after_a_jump_of_the_clock_holds_up_those_behind_it() -> None:
    late = [Extent(1, 1, 10, 9999.0, 50), *FINISHED[1:]]
    assert plan_retention("w", SIZES, late, YOUNG, 60).extents == ()
