from __future__ import annotations

import pytest

from aegis_authz.api.access_requests import TaskStatus
from aegis_authz.control.approvals.access_requests import same_json
from aegis_authz.control.approvals.tasks import STATUSES
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.json_value import Json


def test_every_state_of_an_approval_has_a_status() -> None:
    assert set(STATUSES) == set(ApprovalState)


def test_only_what_a_person_granted_is_approved() -> None:
    approved = {state for state, status in STATUSES.items() if status is TaskStatus.APPROVED}
    assert approved == {ApprovalState.APPROVED, ApprovalState.USED}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        ({"a": [1, "x", None]}, {"a": (1.0, "x", None)}),
        ({"a": 1, "b": True}, {"b": True, "a": 1}),
        ([], ()),
        ("", ""),
    ],
)
def test_values_that_are_written_otherwise_are_the_same(left: Json, right: Json) -> None:
    assert same_json(left, right)
    assert same_json(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        (0, None),
        ("1", 1),
        ({"a": None}, {}),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [2, 1]),
        (["ab"], "ab"),
        ([], {}),
        ("", []),
        ("", None),
        (2**53, 2**53 + 1),
        (float(2**53), 2**53 + 1),
        ("\u00e9", "e\u0301"),
    ],
)
def test_values_that_a_tool_may_tell_apart_are_not_the_same(left: Json, right: Json) -> None:
    assert not same_json(left, right)
    assert not same_json(right, left)
    assert not same_json({"nested": [left]}, {"nested": [right]})
