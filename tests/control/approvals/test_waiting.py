"""What waits is read once for all who look at once, and again a second later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals.waiting import Waiting, recent
from aegis_authz.core.approval import ApprovalPage, ApprovalState
from aegis_authz.core.units import Epoch, Monotonic
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold


class CountedStore(MemoryStore):
    """A store that counts how often it is read."""

    reads = 0

    async def page(self, states: Collection[ApprovalState], limit: int, after: str) -> ApprovalPage:
        self.reads += 1
        return await super().page(states, limit, after)


@pytest.fixture
def store() -> CountedStore:
    return CountedStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: CountedStore) -> ControlServices:
    return new_plane(approvals=store)


async def test_of_many_who_look_at_once_one_reads(plane: ControlServices, store: CountedStore) -> None:
    now = 10.0
    waiting = Waiting(plane.approver, lambda: Monotonic(now))
    await hold(store)
    found = await asyncio.gather(*(waiting.all() for _ in range(20)))
    assert {approval.request.id for approvals in found for approval in approvals} == {HELD}
    assert store.reads == 1
    now = 11.0
    await waiting.all()
    assert store.reads == 2


async def test_what_was_decided_waits_no_more_and_is_looked_back_at(
    plane: ControlServices, store: CountedStore
) -> None:
    waiting = Waiting(plane.approver, SystemClock().monotonic)
    await hold(store)
    await store.decide(HELD, ApprovalState.DENIED, "ann", Epoch(SystemClock().now()))
    assert await waiting.all() == []
    assert [approval.request.id for approval in await recent(plane.approver)] == [HELD]
