"""Approvals that run out are recorded, each once."""

from __future__ import annotations

import time

import pytest

from aegis_authz.approvals.expiring import ExpiryWatch
from aegis_authz.core.approval import ApprovalNotFound, ApprovalProof, ApprovalRequest, ApprovalState
from aegis_authz.core.approval_event import ApprovalEventKind
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.record import ApprovalRecord, ApprovalStep
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore

BOT = Scope("acme", "emea", "bot")


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


class Forgetful(MemoryStore):
    """A store that fails, or has forgotten, as often as is said before an approval is kept as expired."""

    faults: tuple[Exception, ...] = ()

    async def expire(self, approval_id: ApprovalId, now: Epoch) -> None:
        if self.faults:
            fault, *rest = self.faults
            self.faults = tuple(rest)
            raise fault
        await super().expire(approval_id, now)


class Desk:
    """A store, a record log, and what watches them."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.store = Forgetful(self.clock, 60, for_tests=True)
        self.records = MemoryRecordLog("control", for_tests=True)
        self.history = MemoryApprovalHistory(for_tests=True)
        self.watch = self.new_watch()

    def new_watch(self) -> ExpiryWatch:
        return ExpiryWatch(self.store, self.records, self.history, self.clock)

    async def events(self) -> list[tuple[str, ApprovalEventKind, float]]:
        lines = await self.history.lines(Epoch(0.0), Epoch(1e12), 0, 1000)
        return [(line.event.approval_id, line.event.kind, line.event.seconds) for line in lines]

    async def held(self, number: int, verdict: ApprovalState | None = None) -> str:
        now = self.clock.now()
        name = f"apr_{number:034x}"
        terms = (("p",), (), now, now + 900, {}, "b1", "d-1", 1, (), ())
        opens = ApprovalRequest(name, BOT, "stripe", "pay", {}, f"digest {number}", "r1", *terms, ApprovalProof.ANY, "")
        who = Identity(BOT, "aegis", "k", name, now, now + 60, (), "", Way.TOKEN, None, "", None)
        await self.store.settle(Settlement(who, None, opens, now, (), None, None, None), 0)
        if verdict is not None:
            await self.store.decide(name, verdict, "ann", now)
        return name

    def kept(self) -> list[tuple[str, ApprovalStep, str, str]]:
        records = [record for record in self.records.records if isinstance(record, ApprovalRecord)]
        return [(record.approval_id, record.step, record.by, record.note) for record in records]


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.records.start()
    return desk


async def test_what_runs_out_undecided_or_unused_is_recorded_once(desk: Desk) -> None:
    waiting = await desk.held(1)
    granted = await desk.held(2, ApprovalState.APPROVED)
    await desk.held(3, ApprovalState.DENIED)
    await desk.watch.look()
    assert desk.kept() == []
    desk.clock.ahead += 901
    for _ in range(2):
        await desk.watch.look()
    assert sorted(desk.kept()) == [
        (waiting, ApprovalStep.EXPIRED, "", "not decided"),
        (granted, ApprovalStep.EXPIRED, "", "granted by ann, not used"),
    ]
    await desk.new_watch().look()  # as after a restart
    assert len(desk.kept()) == 2
    asked, expired = ApprovalEventKind.ASKED, ApprovalEventKind.EXPIRED
    whole = [(name, *event) for name in (waiting, granted) for event in ((asked, 0.0), (expired, 900.0))]
    assert sorted(await desk.events(), key=str) == sorted(whole, key=str)


async def test_what_ran_out_while_nobody_watched_is_recorded_all_the_same(desk: Desk) -> None:
    for number in range(450):
        name = await desk.held(number)
        if number % 15 == 14:
            desk.clock.ahead += 901  # so that the agent may ask again
    desk.clock.ahead += 901
    await desk.new_watch().look()
    assert len(desk.kept()) == 450
    assert name in {kept[0] for kept in desk.kept()}


async def test_what_could_not_be_recorded_is_tried_again(desk: Desk) -> None:
    name = await desk.held(1)
    desk.clock.ahead += 901
    desk.records.failing = "no space left on the device"
    with pytest.raises(Refused):
        await desk.watch.look()
    assert (await desk.store.overdue(0.0, desk.clock.now(), 9))[0] != []
    desk.records.failing = ""
    await desk.watch.look()
    assert [kept[0] for kept in desk.kept()] == [name]


async def test_what_is_recorded_and_cannot_be_kept_as_expired_is_not_recorded_again(desk: Desk) -> None:
    name = await desk.held(1)
    desk.clock.ahead += 901
    desk.store.faults = (StoreDown("away"), StoreDown("away"))
    for _ in range(2):
        with pytest.raises(StoreDown):
            await desk.watch.look()
    await desk.watch.look()
    assert [kept[0] for kept in desk.kept()] == [name]
    assert (await desk.store.overdue(0.0, desk.clock.now(), 9))[0] == []


async def test_what_is_forgotten_meanwhile_keeps_nobody_from_watching(desk: Desk) -> None:
    names = {await desk.held(1), await desk.held(2)}
    desk.clock.ahead += 901
    desk.store.faults = (ApprovalNotFound("gone"),)
    await desk.watch.look()
    assert {kept[0] for kept in desk.kept()} == names
