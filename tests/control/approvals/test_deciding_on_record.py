"""What people decided is in the history of held calls, with the door it came through."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.approval_event import ApprovalEvent
from aegis_authz.core.units import Epoch
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approval_pages import decide
from tests.control.routes.test_approvals import HELD, hold

Client = Callable[[ControlServices, str], httpx.AsyncClient]


class Full(MemoryApprovalHistory):
    """A history that takes nothing."""

    async def append(self, event: ApprovalEvent) -> bool:
        raise DatabaseFault("the disk is full")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


async def test_each_verdict_is_an_event_with_the_question_before_it(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client
) -> None:
    history = MemoryApprovalHistory(for_tests=True)
    await hold(store, age=60)
    async with client(new_plane(approvals=store, history=history), "ann") as browser:
        await decide(browser, verdict="deny", note=" ")
        await decide(browser, verdict="approve", note="invoice 1181")
        await browser.post(f"/v1/approvals/{HELD}/cancel", json={"note": "paid already"})
    events = [line.event for line in await history.lines(Epoch(0.0), Epoch(1e12), 0, 99)]
    assert [(event.kind.value, event.person, event.channel, event.reason) for event in events] == [
        ("asked", "", "", ""),
        ("approved", "ann", "page", "invoice 1181"),
        ("cancelled", "ann", "api", "paid already"),
    ]
    asked, *later = [event.seconds for event in events]
    assert round(asked) == 0
    assert all(60 <= seconds < 120 for seconds in later), later  # a busy machine takes its time
    assert {(str(event.scope), event.tool, event.groups) for event in events} == {
        ("acme/emea/finance-agent", "stripe-payments", ("finance",))
    }


async def test_what_is_decided_stays_so_where_no_history_is_written(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await hold(store)
    async with client(new_plane(approvals=store, history=Full(for_tests=True)), "ann") as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
    assert answer.status_code == 200
    assert (await store.get(HELD)).state is ApprovalState.APPROVED
    assert f"approved by ann is missing in the history of {HELD}: the disk is full" in caplog.text
