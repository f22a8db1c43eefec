"""Every fault at every door of a real mesh: denied, for its own reason, recorded, and healed by itself.

docs/fail-closed.md is this matrix; `make docs-fail-closed` writes it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from aegis_authz.adapters.opa.answers import FRESH
from aegis_authz.core.reason import Reason
from aegis_authz.demo.mesh import demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.local.documents import example_documents
from aegis_authz.local.mesh_facts import read_facts
from tests.support.fail_closed.bundles import WITHOUT_VALID_SIGNATURE, ControlImpostor, packed, served_bundle, unpacked
from tests.support.fail_closed.doors import CHARGED, PLAIN, Caller, Door, Seen, Sent
from tests.support.fail_closed.faults import FAULTS, LIMIT_FAULTS, Fault
from tests.support.fail_closed.load import Load
from tests.support.fail_closed.mesh import AUTHORIZERS, PATIENCE, BreakableMesh, until
from tests.support.fail_closed.requests import BAD_REQUESTS, BadRequest
from tests.support.fail_closed.table import DENIED, LIMITED, WRITE, Table, rows_of_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON_MS = 50
TRIES = 20
OUT_OF_TIME = frozenset({Reason.PDP_TIMEOUT, Reason.STORE_TIMEOUT, Reason.DEADLINE_EXCEEDED})
SLOW_TRIES = 1
FORBIDDEN = b'{"amount":50000}'
SOON = {Reason.PDP_UNAVAILABLE, Reason.PDP_TIMEOUT, Reason.STORE_UNAVAILABLE, Reason.STORE_TIMEOUT}
"""Denials that must be as quick as a good answer, however long the server behind would take."""


SPENDER = """
org: acme
tenant: emea
agent: spender
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    budget: {amount: 100000, currency: USD, per: day, of: {parameter: amount}}
    count: 10000/day
    rate_limit: 100/s
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BreakableMesh]:
    """A mesh of these tests' own: it is broken all the time."""
    async with demo_mesh(tmp_path_factory.mktemp("broken"), example_documents(), ("--budget-ms", "40")) as running:
        agent = agent_of(running)
        caller = Caller(running.proxy, read_facts(running.state).evaluation, running.state / "records", agent.tokens)
        mesh = BreakableMesh(running, caller)
        (running.policies / "spender.yaml").write_text(SPENDER, "utf-8")
        await running.publish()
        await mesh.until_whole()
        yield mesh
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
    tokens = {door: broken.caller.tokens.mint(door.agent) for door in fault.doors}
    async with fault.breaks(broken):
        await asyncio.sleep(FRESH)  # for so long is believed what OPA said just before (decision 0037)
        broken.demo.tools.received.clear()
        seen = {door: await _denied_by(fault, broken, door, tokens[door]) for door in fault.doors}
        assert broken.demo.tools.received == {}
    await broken.until_whole()
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


@pytest.mark.parametrize("fault", LIMIT_FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_denies_a_charged_call_and_limits_hold_again_once_they_are_reset(
    fault: Fault, broken: BreakableMesh, table: Table
) -> None:
    await _charges_again(broken)
    async with fault.breaks(broken):
        await asyncio.sleep(FRESH)  # for so long is believed what OPA said just before (decision 0037)
        broken.demo.tools.received.clear()
        seen = await _denied_by(fault, broken, CHARGED, "")
        assert broken.demo.tools.received == {}
    await broken.until_whole()
    assert seen.recorded
    table.limited(fault.room, fault.name, seen)


async def test_a_crash_of_one_authorizer_lets_nothing_through_and_stops_nothing(
    broken: BreakableMesh, table: Table
) -> None:
    calls = [asyncio.create_task(_judged(broken)) for _ in range(20)]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    async with broken.killed("authz-0", by=signal.SIGSEGV):
        for good, forbidden in await asyncio.gather(*calls):
            assert good.let_through or good.status == 503
            assert forbidden.decision == "deny"
        after = [await _judged(broken) for _ in range(5)]
    assert {(good.reason, forbidden.reason) for good, forbidden in after} == {("ALLOWED", "POLICY_DENIED")}
    table.going_on("One of two authorizers crashed", *after[0])
    await broken.until_whole()


async def test_under_load_the_loss_of_one_of_two_authorizers_loses_no_answer_and_passes_nothing(
    broken: BreakableMesh,
) -> None:
    load = Load(broken.demo.proxy, broken.caller.tokens)
    async with load.sent_by(8):
        await until(lambda: len(load.good) >= 50)
        async with broken.killed("authz-1"):
            until_then = len(load.good)
            # what was under way at the dead one is refused; what comes after it is answered by the other
            await until(lambda: len(load.good) >= until_then + 100)
            later = load.good[until_then + 50 :]
    assert load.unanswered == []
    # a machine that does too much else at once refuses for lack of time, and never for lack of an authorizer
    assert "paid" in later
    assert set(later) - {"paid"} <= {reason.value for reason in OUT_OF_TIME}, load.good
    assert "paid" not in load.forbidden
    # the tool numbers its payments: it was reached by those calls that were told so, and by no other
    assert len(set(load.payments)) == load.good.count("paid") == max(load.payments) - min(load.payments) + 1
    await broken.until_whole()


async def test_without_the_control_plane_calls_are_judged_as_before(broken: BreakableMesh, table: Table) -> None:
    async with broken.killed("control"):
        await _note_unchanged(broken, table, "The control plane is dead")
    await broken.until_whole()


async def test_opa_started_without_the_control_plane_serves_the_bundle_it_kept(
    broken: BreakableMesh, table: Table
) -> None:
    async with broken.hung("control"):
        async with broken.killed("opa"):
            pass
        await broken.until_whole()
        await _note_unchanged(broken, table, "OPA was restarted while the control plane hangs")


async def test_a_bundle_without_a_valid_signature_is_never_believed(broken: BreakableMesh, table: Table) -> None:
    control = broken.facts()["control"]
    port = urlsplit(control).port
    entries = unpacked(await served_bundle(control, broken.state / "keys"))
    impostor = ControlImpostor()
    async with broken.killed("control"), impostor.listening(port or 0):
        for bad in WITHOUT_VALID_SIGNATURE:
            await impostor.offer(packed(bad.spoil(entries)), bad.trouble)
            await _note_unchanged(broken, table, bad.name)
    await broken.until_whole()


async def test_after_all_of_this_no_record_is_missing(broken: BreakableMesh) -> None:
    key = broken.state / "keys" / "records.pub.json"
    await broken.demo.aegis("audit", "verify", str(broken.state / "records"), "--key", str(key))


async def test_the_page_lists_every_fault_and_nothing_else() -> None:
    if WRITE in os.environ:
        pytest.skip("the page is being written")
    names = [fault.name for fault in FAULTS] + [bad.name for bad in BAD_REQUESTS]
    assert [row[0] for row in rows_of_page() if len(row) == len(DENIED)] == names
    charged = [row[0] for row in rows_of_page() if len(row) == len(LIMITED)]
    assert charged == [fault.name for fault in LIMIT_FAULTS]


async def _charges_again(mesh: BreakableMesh) -> None:
    """Until a charged call passes: what was charged before the faults is given up by an operator."""
    await mesh.demo.aegis("limits", "reset", "--dir", str(mesh.state), "--note", "nothing here was paid")
    await mesh.caller.until_open(PATIENCE, (CHARGED,))


async def _judged(mesh: BreakableMesh) -> tuple[Seen, Seen]:
    """What comes of a good call, and of one that policy forbids."""
    tokens = mesh.caller.tokens
    forbidden = Sent((("x-aegis-token", tokens.mint(PLAIN.agent)),), FORBIDDEN)
    return await mesh.caller.call(PLAIN), await mesh.caller.call(PLAIN, forbidden)


async def _note_unchanged(mesh: BreakableMesh, table: Table, name: str) -> None:
    good, forbidden = await _judged(mesh)
    assert (good.reason, forbidden.reason) == ("ALLOWED", "POLICY_DENIED")
    table.going_on(name, good, forbidden)


async def _denied_by(fault: Fault, mesh: BreakableMesh, door: Door, token: str) -> Seen:
    """Call through a door until the fault shows, which must be at once but for the reasons it may begin with."""
    early = Sent((("x-aegis-token", token),), door.body) if fault.tokens_before else None
    slow: list[Seen] = []
    echoes = 0
    for _ in range(TRIES):
        seen = await mesh.caller.call(door, early)
        assert seen.decision == "deny", seen
        if seen.reason == Reason.STORE_RESET.value and fault.reason is not Reason.STORE_RESET:
            echoes += 1  # an authorizer looks at the life of Redis once a second: what went before may show until then
            assert echoes <= len(AUTHORIZERS), seen
        elif seen.reason != fault.reason.value:
            if Reason(seen.reason) in OUT_OF_TIME - fault.at_first:
                slow.append(seen)
                assert len(slow) <= SLOW_TRIES, slow  # a busy machine may stop a process for a while
            else:
                assert Reason(seen.reason) in fault.at_first, seen
        elif fault.reason in SOON and seen.ms is not None and seen.ms >= SOON_MS:
            slow.append(seen)
            assert len(slow) <= SLOW_TRIES, slow  # a busy machine may stop a process for a while
        else:
            return seen
    raise AssertionError(f"{door.name}: never {fault.reason.value}")
