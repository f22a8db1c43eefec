"""What readers see of the records: of their own tenants alone, one search of each reader at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from dataclasses import replace

import pytest

from aegis_authz.control.gate import Caller
from aegis_authz.control.policies.turns import TurnMissed
from aegis_authz.control.records.reading import RecordDesk
from aegis_authz.core.effect import Effect
from aegis_authz.core.person import Domain, Person
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, OutcomeRecord, Record, RedactionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.position import ChainPosition, Standing
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import EVERY_RECORD, IndexedRecord, RecordGap, RecordPage, RecordPlace, RecordSearch
from aegis_authz.people.permissions import Permission
from tests.support.made_records import APPROVAL, DENIED, approval_step, named
from tests.support.people import person

HELD = replace(DENIED, decision_id="held", effect=Effect.APPROVAL_NEEDED, approval_id=APPROVAL)
USED = replace(HELD, decision_id="used", time=HELD.time + 60, effect=Effect.ALLOW, reason=Reason.ALLOWED)
APPROVED = approval_step(HELD, ApprovalStep.APPROVED, 30.0, "ann")
OUTCOME = OutcomeRecord("used", USED.time + 1, 200, "", (), True, 1, 1, 1.0, 2.0, None)
NOBODYS = replace(DENIED, decision_id="nobody", identity=None)
APAC = replace(named("bot"), scope=Scope("acme", "apac", "bot"))
ABROAD = replace(DENIED, decision_id="abroad", identity=APAC, approval_id=APPROVAL)


class ScriptedBrowsing:
    """Records in memory; `gate` holds searches until it is set."""

    def __init__(self, *records: Record) -> None:
        self._records = [
            IndexedRecord(StoredRecord("f", at, record, ""), RecordPlace(record.time, "w", "f", at), 0, b"")
            for at, record in enumerate(records, start=1)
        ]
        self.domains: list[Collection[Domain]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.rests_end = threading.Event()

    def rest(self, pause: float, most: float) -> None:
        self.rests_end.wait(pause)

    def end_rest(self) -> None:
        self.rests_end.set()

    def advance(self, most: int) -> tuple[int, list[IndexedRecord]]:
        return 0, []

    def gaps(self) -> tuple[RecordGap, ...]:
        return ()

    def page(
        self, search: RecordSearch, domains: Collection[Domain], before: RecordPlace | None, count: int
    ) -> RecordPage:
        self.domains.append(domains)
        assert self.gate.wait(30)
        return RecordPage((), None)

    def of_decision(self, decision_id: str, count: int) -> list[IndexedRecord]:
        return [each for each in self._records if getattr(each.stored.record, "decision_id", "") == decision_id]

    def of_approval(self, approval_id: str, count: int) -> list[IndexedRecord]:
        return [each for each in self._records if getattr(each.stored.record, "approval_id", "") == approval_id]

    def position(self, record: IndexedRecord) -> ChainPosition:
        return ChainPosition("w", record.place.line, "", 9, Standing.PROVEN, "it holds")

    def verify(self) -> list[LogReport]:
        return []


def reader(who: Person) -> Caller:
    return Caller(who, Permission.READ_RECORDS, "")


OWNER, EMEA = reader(person("ann", "owner")), reader(person("eve", "approver@acme/emea", "viewer"))


async def test_a_search_is_of_the_domains_in_which_the_reader_may_read_records() -> None:
    browsing = ScriptedBrowsing()
    desk = RecordDesk(browsing)
    await desk.search(OWNER, EVERY_RECORD, None, 10)
    await desk.search(EMEA, EVERY_RECORD, None, 10)
    await desk.search(reader(person("vic", "viewer")), EVERY_RECORD, None, 10)
    assert [*map(list, browsing.domains)] == [[Domain("*", "*")], [Domain("acme", "emea")], []]


async def test_a_decision_is_shown_with_what_became_of_it_and_its_place_in_the_chain() -> None:
    desk = RecordDesk(
        ScriptedBrowsing(HELD, OUTCOME, USED, RedactionRecord("used", USED.time + 2, "response", {}, "done"))
    )
    trail = await desk.decision(EMEA, "used")
    assert trail is not None
    kinds = [type(each.stored.record).__name__ for each in trail.records]
    assert kinds == ["DecisionRecord", "OutcomeRecord", "RedactionRecord"]
    assert (trail.decision, trail.position.seq) == (USED, 3)


async def test_a_decision_of_another_tenant_is_not_there_for_a_reader_and_one_of_nobody_is_for_those_who_see_all() -> (
    None
):
    desk = RecordDesk(ScriptedBrowsing(NOBODYS, ABROAD))
    assert [await desk.decision(EMEA, name) for name in ("abroad", "nobody", "no-such")] == [None] * 3
    assert [(await desk.decision(OWNER, name)) is not None for name in ("abroad", "nobody")] == [True, True]


async def test_the_trail_of_an_approval_leads_to_what_became_of_the_call() -> None:
    desk = RecordDesk(ScriptedBrowsing(HELD, APPROVED, USED, OUTCOME, ABROAD))
    steps = [step.stored.record for step in await desk.approval(EMEA, APPROVAL)]
    assert steps == [HELD, APPROVED, USED, OUTCOME]
    assert ABROAD in [step.stored.record for step in await desk.approval(OWNER, APPROVAL)]
    assert await desk.approval(reader(person("bo", "auditor@globex/emea")), APPROVAL) == []


async def test_a_reader_with_many_slow_searches_keeps_nobody_else_waiting() -> None:
    browsing = ScriptedBrowsing(USED)
    browsing.gate.clear()
    desk = RecordDesk(browsing)
    slow = [asyncio.create_task(desk.search(EMEA, EVERY_RECORD, None, 10)) for _ in range(20)]
    while not browsing.domains:
        await asyncio.sleep(0)
    assert await desk.decision(OWNER, "used") is not None  # while the first of the slow ones still goes on
    assert len(browsing.domains) == 1
    browsing.gate.set()
    await asyncio.gather(*slow)
    assert len(browsing.domains) == 20


async def test_a_reader_who_hangs_up_has_no_second_search_beside_the_first() -> None:
    browsing = ScriptedBrowsing()
    browsing.gate.clear()
    desk = RecordDesk(browsing)
    page = asyncio.create_task(desk.search(EMEA, EVERY_RECORD, None, 10))
    while not browsing.domains:
        await asyncio.sleep(0)
    page.cancel()  # as closing a live page does
    with pytest.raises(asyncio.CancelledError):
        await page
    again = asyncio.create_task(desk.search(EMEA, EVERY_RECORD, None, 10))
    await desk.decision(OWNER, "used")
    assert len(browsing.domains) == 1
    browsing.gate.set()
    await again
    assert len(browsing.domains) == 2


async def test_whoever_is_kept_waiting_too_long_is_told() -> None:
    browsing = ScriptedBrowsing()
    browsing.gate.clear()
    desk = RecordDesk(browsing, Seconds(0.05))
    first = asyncio.create_task(desk.search(OWNER, EVERY_RECORD, None, 10))
    while not browsing.domains:
        await asyncio.sleep(0)
    with pytest.raises(TurnMissed):
        await desk.search(OWNER, EVERY_RECORD, None, 10)
    browsing.gate.set()
    await first
