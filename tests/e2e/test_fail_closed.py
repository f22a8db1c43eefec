"""Every fault at every door of a real mesh: denied, for its own reason, recorded, and healed by itself.

docs/fail-closed.md is this matrix; `make docs-fail-closed` writes it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from fail_closed.bundles import WITHOUT_VALID_SIGNATURE, ControlImpostor
from fail_closed.doors import DOORS, PLAIN, Caller, Door, Seen, Sent
from fail_closed.faults import FAULTS, Fault
from fail_closed.mesh import PATIENCE, BreakableMesh
from fail_closed.requests import BAD_REQUESTS, BadRequest
from fail_closed.table import Table, rows_of_page

from aegis_authz.core.reason import Reason
from aegis_authz.demo.mesh import demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.local.documents import example_documents

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON_MS = 50
TRIES = 10
FORBIDDEN = b'{"amount":50000}'
SOON = {Reason.PDP_UNAVAILABLE, Reason.PDP_TIMEOUT, Reason.STORE_UNAVAILABLE, Reason.STORE_TIMEOUT}
"""Denials that must be as quick as a good answer, however long the server behind would take."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableMesh]:
    """A mesh of these tests' own: it is broken all the time."""
    async with demo_mesh(tmp_path_factory.mktemp("broken"), example_documents()) as running:
        agent = agent_of(running)
        caller = Caller(running.proxy, agent)
        await caller.until_open(PATIENCE)
        yield BreakableMesh(running, caller)
        await caller.close()
        await agent.close()


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    measured = Table()
    yield measured
    measured.save()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_denies_at_every_door_and_heals_by_itself(
    fault: Fault, broken: BreakableMesh, table: Table
) -> None:
    broken.demo.tools.received.clear()
    tokens = {door: broken.caller.tokens.mint(door.agent) for door in DOORS}
    async with fault.breaks(broken):
        seen = {door: await _denied_by(fault, broken, door, tokens[door]) for door in DOORS}
        assert broken.demo.tools.received == {}
    await broken.caller.until_open(PATIENCE)
    assert {one.recorded for one in seen.values()} == {fault.recorded}
    table.denied(fault.room, fault.name, seen)


@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=lambda bad: bad.name)
async def test_a_request_that_cannot_be_judged_is_denied_at_every_door(
    bad: BadRequest, broken: BreakableMesh, table: Table
) -> None:
    broken.demo.tools.received.clear()
    seen = {door: await broken.caller.call(door, bad.spoil(door, broken.caller.tokens)) for door in bad.doors}
    assert {(one.decision, one.reason) for one in seen.values()} == {("deny", bad.reason.value)}
    assert broken.demo.tools.received == {}
    assert {one.recorded for one in seen.values()} == {bad.recorded}
    table.denied("Requests that cannot be judged", bad.name, seen)


async def test_a_crash_of_one_authorizer_lets_nothing_through_and_stops_nothing(
    broken: BreakableMesh, table: Table
) -> None:
    raise NotImplementedError


async def _denied_by(fault: Fault, mesh: BreakableMesh, door: Door, token: str) -> Seen:
    """Call through a door until the fault shows, which must be at once but for the reasons it may begin with."""
    early = Sent((("x-aegis-token", token),), door.body) if fault.tokens_before else None
    for _ in range(TRIES):
        seen = await mesh.caller.call(door, early)
        assert seen.decision == "deny", seen
        slow = fault.reason in SOON and seen.ms is not None and seen.ms >= SOON_MS
        if seen.reason == fault.reason.value and not slow:
            return seen
        assert slow or Reason(seen.reason) in fault.at_first, seen
    raise AssertionError(f"{door.name}: not {fault.reason.value} within {SOON_MS} ms in {TRIES} tries")
