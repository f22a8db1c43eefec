"""What keeps the events of held calls: the memory twin, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.approval_history import SqlApprovalHistory
from aegis_authz.adapters.sql.database import Database
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from tests.support.real_postgres import database_url

ASKED = ApprovalEvent(
    approval_id=ApprovalId("apr_1"),
    scope=Scope("acme", "emea", "bot"),
    tool="payments",
    action="POST /refund/\u00e4",
    policies=("refunds", "limits"),
    groups=("finance",),
    kind=ApprovalEventKind.ASKED,
    person="",
    channel="",
    reason="",
    at=Epoch(1000.25),
    seconds=Seconds(0.0),
)
APPROVED = replace(
    ASKED,
    kind=ApprovalEventKind.APPROVED,
    person="ann",
    channel="slack",
    reason="looks right",
    at=Epoch(1010.75),
    seconds=Seconds(10.5),
)
ALWAYS = (Epoch(0.0), Epoch(1e12))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ApprovalHistory]:
    if request.param == "memory":
        yield MemoryApprovalHistory(for_tests=True)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield SqlApprovalHistory(database)
    await database.close()


async def test_events_are_read_as_they_were_kept_and_in_their_order(history: ApprovalHistory) -> None:
    assert await history.append(APPROVED)
    assert await history.append(ASKED)
    lines = await history.lines(*ALWAYS, 0, 10)
    assert [line.event for line in lines] == [APPROVED, ASKED]
    assert [line.event for line in await history.lines(*ALWAYS, lines[0].number, 10)] == [ASKED]
    assert [line.event for line in await history.lines(*ALWAYS, 0, 1)] == [APPROVED]


async def test_of_a_time_only_its_events_are_read(history: ApprovalHistory) -> None:
    await history.append(ASKED)
    await history.append(APPROVED)
    assert [line.event for line in await history.lines(Epoch(1010.75), Epoch(1011.0), 0, 10)] == [APPROVED]
    assert [line.event for line in await history.lines(Epoch(1000.0), Epoch(1010.75), 0, 10)] == [ASKED]


async def test_an_event_that_several_saw_is_kept_once(history: ApprovalHistory) -> None:
    later = replace(APPROVED, channel="", at=Epoch(1011.0))
    results = await asyncio.gather(*(history.append(event) for event in (APPROVED, later, later, later)))
    assert sorted(results) == [False, False, False, True]
    assert len(await history.lines(*ALWAYS, 0, 10)) == 1


async def test_each_person_and_each_event_of_a_call_is_a_line_of_its_own(history: ApprovalHistory) -> None:
    second, expired = replace(APPROVED, person="bob"), replace(ASKED, kind=ApprovalEventKind.EXPIRED)
    for event in (ASKED, APPROVED, second, expired, replace(ASKED, approval_id=ApprovalId("apr_2"))):
        assert await history.append(event)
    assert len(await history.lines(*ALWAYS, 0, 10)) == 5
