from __future__ import annotations

import asyncio

import pytest

from aegis_authz.control.policies.status_board import FORGET_AFTER, MAX_INSTANCES, StatusBoard
from aegis_authz.core.json_value import Json


class HandClock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def board(clock: HandClock) -> StatusBoard:
    return StatusBoard(clock)


def report(
    instance: str, revision: str = "", code: str = "", message: str = "", errors: Json = None
) -> dict[str, Json]:
    status = {"name": "aegis", "active_revision": revision, "code": code, "message": message, "errors": errors}
    return {"labels": {"id": "uuid", "version": "1.22.2", "instance": instance}, "bundles": {"aegis": status}}


def test_the_newest_report_of_each_opa_counts(board: StatusBoard) -> None:
    board.hear(report("b", "r1"))
    board.hear(report("a", "r1"))
    board.hear(report("b", "r2"))
    assert [(state.instance, state.active_revision) for state in board.states()] == [("a", "r1"), ("b", "r2")]


def test_an_opa_without_the_label_goes_by_its_id(board: StatusBoard) -> None:
    board.hear({"labels": {"id": "uuid"}})
    assert [state.instance for state in board.states()] == ["uuid"]


def test_an_opa_not_heard_of_is_forgotten(board: StatusBoard, clock: HandClock) -> None:
    board.hear(report("a", "r1"))
    clock.time += FORGET_AFTER + 1
    assert board.is_empty


def test_trouble_is_told_in_opas_words(board: StatusBoard) -> None:
    board.hear(report("a", "", "bundle_error", "failed", [{"message": "rego_type_error: x"}, "plain"]))
    assert board.states()[0].trouble == "failed: rego_type_error: x: plain"


async def test_a_revision_active_everywhere_needs_no_wait(board: StatusBoard) -> None:
    board.hear(report("a", "r2"))
    standing = await board.activation("r2", 0)
    assert (standing.active_on, standing.waiting_for, dict(standing.refused)) == (("a",), (), {})


async def test_without_any_opa_the_first_is_waited_for(board: StatusBoard) -> None:
    waiting = asyncio.create_task(board.activation("r1", 5))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.05)
    board.hear(report("a", "r1"))
    assert (await asyncio.wait_for(waiting, 1)).active_on == ("a",)


async def test_when_time_is_up_it_says_who_is_missing(board: StatusBoard) -> None:
    board.hear(report("a", "r1"))
    board.hear(report("b", "r2"))
    standing = await board.activation("r2", 0.05)
    assert (standing.active_on, standing.waiting_for) == (("b",), ("a",))


async def test_one_failed_report_may_be_stale_two_are_a_refusal(board: StatusBoard) -> None:
    board.hear(report("a", "r1", "bundle_error", "older trouble"))
    waiting = asyncio.create_task(board.activation("r2", 5))
    await asyncio.sleep(0)
    board.hear(report("a", "r1", "bundle_error", "bad signature"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.05)
    board.hear(report("a", "r1", "bundle_error", "bad signature"))
    standing = await asyncio.wait_for(waiting, 1)
    assert dict(standing.refused) == {"a": "bad signature"}
    assert standing.active_on == ()


async def test_trouble_of_the_past_does_not_hide_that_the_revision_runs(board: StatusBoard) -> None:
    board.hear(report("a", "r1", "bundle_error", "refused r2"))
    assert (await board.activation("r1", 0)).active_on == ("a",)


def test_a_flood_of_instances_is_refused(board: StatusBoard) -> None:
    for number in range(MAX_INSTANCES):
        board.hear(report(f"i{number}"))
    with pytest.raises(ValueError, match="too many"):
        board.hear(report("one-more"))
    board.hear(report("i0", "r1"))
