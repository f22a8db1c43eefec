"""Notices arrive in the end, once, and nobody waits for a channel that is dead."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.alert import Alert, AlertPlan, Sighting
from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.notice import LOG_PLACE, Notice, NoticeKind
from aegis_authz.core.reason import Reason
from aegis_authz.core.settlement import Settlement
from aegis_authz.notices.delivery import Courier
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.testing.alerts import MemoryAlerts
from aegis_authz.testing.outbox import MemoryOutbox
from aegis_authz.testing.store import MemoryStore
from tests.support.commit_marks import ScriptedMarks
from tests.support.held_calls import REQUEST


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 10_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Scripted:
    """A channel that keeps what it is given, and fails as often as is said before."""

    tells_outcomes = True

    def __init__(self) -> None:
        self.faults: list[ChannelFault] = []
        self.messages: list[tuple[str, str, str, str]] = []

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.messages.append((notice.place, notice.kind.value, approval.state.value, notice.receipt))
        return notice.receipt or f"message {len(self.messages)}"

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.messages.append((notice.place, notice.kind.value, alert.destination, str(alert.count)))
        return f"message {len(self.messages)}"


class DeadPlace(Scripted):
    """A channel at one place of which nobody answers, which takes five seconds to see."""

    def __init__(self, clock: Hand, place: str) -> None:
        super().__init__()
        self.clock, self.place, self.tries = clock, place, 0

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        if notice.place != self.place:
            return await super().deliver(notice, approval)
        self.tries += 1
        self.clock.time += 5
        raise ChannelFault("cannot be reached: ConnectTimeout", is_final=False)


class Arrival(Scripted):
    """A channel that tells when a message arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        receipt = await super().deliver(notice, approval)
        self.event.set()
        return receipt


class Desk:
    """A store, an outbox, two channels and the courier between them."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.store = MemoryStore(self.clock, 60, for_tests=True)
        self.outbox = MemoryOutbox(for_tests=True)
        self.slack, self.mail = Scripted(), Scripted()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.alerts = MemoryAlerts(self.outbox, for_tests=True)
        channels = {"slack": self.slack, "email": self.mail}
        self.courier = Courier(self.outbox, self.store, self.store.get, self.alerts, channels, self.clock, self._count)

    def _count(self, channel: str, outcome: str) -> None:
        self.counts[(channel, outcome)] += 1

    async def hold(self, number: int = 1, *places: str) -> ApprovalRequest:
        now = self.clock.now()
        request = replace(
            REQUEST,
            id=f"apr_{number:034x}",
            digest=f"digest {number}",
            notify=places or ("slack:#finance",),
            requested_at=now,
            expires_at=now + 900,
        )
        who = Identity(REQUEST.scope, "aegis", "k", f"j{number}", now, now + 60, (), "", Way.TOKEN, None, "", None)
        await self.store.settle(Settlement(who, None, request, now, (), None, None, None), 0)
        return request

    async def round(self) -> None:
        await self.courier.look()
        for channel in ("slack", "email"):
            await self.courier.empty(channel)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_held_call_is_told_at_every_place_once(desk: Desk) -> None:
    await desk.hold(1, "slack:#finance", "slack:#board", "email:a@b.example")
    for _ in range(3):
        await desk.round()
    assert sorted(desk.slack.messages) == [
        ("slack:#board", "held", "pending", ""),
        ("slack:#finance", "held", "pending", ""),
    ]
    assert desk.mail.messages == [("email:a@b.example", "held", "pending", "")]


@pytest.mark.parametrize("state", [ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.CANCELLED])
async def test_the_message_is_changed_once_the_call_is_decided_wherever_that_was(
    desk: Desk, state: ApprovalState
) -> None:
    request = await desk.hold()
    await desk.round()
    await desk.store.decide(request.id, state, "ann", desk.clock.now())
    for _ in range(3):
        await desk.round()
    assert desk.slack.messages[1:] == [("slack:#finance", "settled", state.value, "message 1")]


async def test_the_message_is_changed_once_the_time_is_over(desk: Desk) -> None:
    await desk.hold()
    await desk.round()
    desk.clock.time += 901
    await desk.round()
    assert desk.slack.messages[1:] == [("slack:#finance", "settled", "expired", "message 1")]


async def test_a_channel_that_is_for_the_beginning_alone_is_not_told_the_end(desk: Desk) -> None:
    desk.slack.tells_outcomes = False
    request = await desk.hold()
    await desk.round()
    await desk.store.decide(request.id, ApprovalState.DENIED, "ann", desk.clock.now())
    await desk.round()
    assert len(desk.slack.messages) == 1
    assert await desk.outbox.unsettled() == []


async def test_a_place_that_is_dead_keeps_no_other_place_of_its_channel_waiting(desk: Desk) -> None:
    dead = DeadPlace(desk.clock, "slack:#dead")
    desk.courier = replace(desk.courier, channels={"slack": dead})
    begun = desk.clock.time
    for number in range(1, 19):
        await desk.hold(number, "slack:#dead")
    await desk.courier.look()
    await desk.courier.empty("slack")
    await desk.hold(19, "slack:#finance")
    await desk.courier.look()
    await desk.courier.empty("slack")
    assert [place for place, *_ in dead.messages] == ["slack:#finance"]
    assert desk.clock.time - begun < 60, "the call would be over before anybody is told"
    while desk.clock.time < begun + 300:  # it is tried again, now and then
        before = dead.tries
        await desk.courier.empty("slack")
        desk.clock.time += 1
        assert dead.tries - before <= 1
    assert 4 <= dead.tries < 20
    dead.place = ""
    desk.clock.time += 61
    await desk.courier.empty("slack")
    assert len(dead.messages) == 19, "all of them are told once it answers again"


async def test_a_channel_that_fails_is_tried_again_later_and_later(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("HTTP 503", is_final=False)] * 4
    await desk.hold()
    pauses, begun = [], desk.clock.time
    while not desk.slack.messages:
        before = len(desk.slack.faults)
        await desk.round()
        if len(desk.slack.faults) != before:
            pauses.append(desk.clock.time - begun)
            begun = desk.clock.time
        desk.clock.time += 0.5
    assert pauses == [0.0, 1.0, 2.0, 4.0]
    assert desk.counts == {("slack", "postponed"): 4, ("slack", "delivered"): 1}


async def test_a_channel_that_asks_to_be_left_alone_is(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("HTTP 429", is_final=False, wait=30.0)]
    await desk.hold()
    await desk.round()
    desk.clock.time += 29
    await desk.round()
    assert desk.slack.messages == []
    desk.clock.time += 1
    await desk.round()
    assert len(desk.slack.messages) == 1


async def test_what_cannot_be_delivered_is_told_with_the_reason(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("chat.postMessage answered channel_not_found", is_final=True)]
    request = await desk.hold()
    for _ in range(2):
        await desk.round()
    (notice,) = await desk.outbox.undelivered(10)
    assert (notice.subject, notice.place, notice.trouble) == (
        request.id,
        "slack:#finance",
        "chat.postMessage answered channel_not_found",
    )
    assert desk.counts == {("slack", "undelivered"): 1}


async def test_a_dead_channel_delays_neither_the_decision_nor_the_other_channel(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("cannot be reached", is_final=False)] * 1000
    request = await desk.hold(1, "slack:#finance", "email:a@b.example")
    await desk.round()
    assert len(desk.mail.messages) == 1
    decided = await desk.store.decide(request.id, ApprovalState.APPROVED, "ann", desk.clock.now())
    assert decided.state is ApprovalState.APPROVED
    desk.clock.time += 60
    await desk.round()
    (notice,) = await desk.outbox.undelivered(10)
    assert notice.trouble == "it is approved by now: cannot be reached"


async def test_a_place_of_no_channel_is_told_and_holds_nobody_up(desk: Desk) -> None:
    await desk.hold(1, "teams:payments", "slack:#finance")
    for _ in range(2):
        await desk.round()
    assert len(desk.slack.messages) == 1
    (notice,) = await desk.outbox.undelivered(10)
    assert (notice.place, notice.trouble) == ("teams:payments", "the settings have no channel teams")


async def test_the_end_of_what_is_forgotten_is_given_up(desk: Desk) -> None:
    await desk.hold()
    await desk.round()
    desk.store.forget_everything()
    await desk.round()
    (notice,) = await desk.outbox.undelivered(10)
    assert (notice.kind, notice.trouble) == (NoticeKind.SETTLED, "the approval is forgotten")


async def test_what_is_held_is_read_once_and_not_at_every_look(desk: Desk) -> None:
    request = await desk.hold(1)
    reads: list[str] = []
    get = desk.store.get

    async def counted(approval_id: str) -> Approval:
        reads.append(approval_id)
        return await get(approval_id)

    desk.store.get = counted  # type: ignore[method-assign]  # what is counted is what the port reads
    for _ in range(5):
        await desk.courier.look()
    assert reads == [request.id]
    await desk.hold(2)
    await desk.courier.look()
    assert len(reads) == 2
    desk.clock.time += 1_000
    await desk.courier.look()
    assert desk.courier.entered == set()


async def test_one_that_cannot_be_read_keeps_nobody_from_learning_of_the_others(desk: Desk) -> None:
    damaged, whole = await desk.hold(1), await desk.hold(2)
    get = desk.store.get

    async def reads(approval_id: str) -> Approval:
        if approval_id == damaged.id:
            raise StoreDown("what Redis holds is not an approval")
        return await get(approval_id)

    desk.store.get = reads  # type: ignore[method-assign]  # one of two is damaged
    await desk.courier.look()
    assert desk.courier.entered == {whole.id}
    await desk.courier.empty("slack")
    assert len(desk.slack.messages) == 1


async def test_a_channel_that_fails_is_named_until_a_message_arrives(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("answered HTTP 500", is_final=False)] * 2
    await desk.hold(1)
    await desk.round()
    assert [(one.kind, one.failures, one.trouble) for one in desk.courier.health()] == [
        ("email", 0, ""),
        ("slack", 1, "answered HTTP 500"),
    ]
    desk.clock.time += 60
    await desk.round()
    assert desk.courier.health()[1].failures == 2
    desk.clock.time += 60
    await desk.round()
    assert desk.courier.health()[1].failures == 0


def sighting(desk: Desk, *places: str) -> Sighting:
    plan = AlertPlan(places or ("slack:#soc",), 60.0)
    now = desk.clock.now()
    return Sighting(REQUEST.scope, Reason.EGRESS_DENIED, "evil.example", now, "decision-1", plan)


async def test_a_refusal_is_told_once_at_every_place_when_its_time_is_over(desk: Desk) -> None:
    await desk.alerts.gather([sighting(desk, "slack:#soc", "email:soc@b.example")] * 3, desk.clock.now())
    await desk.round()
    assert desk.slack.messages == []
    desk.clock.time += 60
    for _ in range(3):
        await desk.round()
    assert desk.slack.messages == [("slack:#soc", "alert", "evil.example", "3")]
    assert desk.mail.messages == [("email:soc@b.example", "alert", "evil.example", "3")]
    assert desk.counts == {("slack", "delivered"): 1, ("email", "delivered"): 1}


async def test_a_channel_that_fails_is_told_the_same_alert_later_and_others_at_once(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("answered HTTP 503", is_final=False)]
    await desk.alerts.gather([sighting(desk, "slack:#soc", "email:soc@b.example")], desk.clock.now())
    desk.clock.time += 60
    await desk.round()
    await desk.alerts.gather([sighting(desk)], desk.clock.now())  # of another alert by now
    assert (desk.slack.messages, len(desk.mail.messages)) == ([], 1)
    desk.clock.time += 60
    await desk.round()
    assert desk.slack.messages == [("slack:#soc", "alert", "evil.example", "1")] * 2


async def test_a_refusal_that_cannot_be_told_for_a_day_is_given_up_and_listed(desk: Desk) -> None:
    desk.slack.faults = [ChannelFault("answered HTTP 503", is_final=False)]
    await desk.alerts.gather([sighting(desk)], desk.clock.now())
    for seconds in (60, 86_401):
        desk.clock.time += seconds
        await desk.round()
    (notice,) = await desk.outbox.undelivered(10)
    assert notice.trouble == "it was tried for a day: answered HTTP 503"
    assert desk.slack.messages == []


async def test_a_refusal_that_gathers_for_a_day_is_told_then(desk: Desk) -> None:
    lone = replace(sighting(desk), plan=AlertPlan(("slack:#soc",), 86_400.0))
    await desk.alerts.gather([lone], desk.clock.now())
    desk.clock.time += 86_402
    await desk.round()
    assert desk.slack.messages == [("slack:#soc", "alert", "evil.example", "1")]


async def test_a_refusal_of_days_ago_is_listed_and_told_to_nobody(desk: Desk) -> None:
    await desk.alerts.gather([sighting(desk)], desk.clock.now())
    desk.clock.time += 2 * 86_400 + 1
    await desk.round()
    (notice,) = await desk.outbox.undelivered(10)
    assert notice.trouble == "it is more than two days old: there was no time"
    assert desk.slack.messages == []


async def test_an_alert_that_is_forgotten_is_given_up(desk: Desk) -> None:
    desk.outbox.enter_alert("alt_gone", "slack:#soc", desk.clock.now())
    await desk.round()
    assert [notice.trouble for notice in await desk.outbox.undelivered(10)] == ["the alert is forgotten"]


@asynccontextmanager
async def watched(desk: Desk, channel: Arrival, commits: CommitWatch) -> AsyncIterator[None]:
    """A courier that has nothing to do yet, of the log alone: it sees what is entered by what is committed."""
    courier = replace(desk.courier, channels={LOG_PLACE: channel}, clock=SystemClock())
    watch = asyncio.create_task(courier.watch(commits))
    for _ in range(20):
        await asyncio.sleep(0)
    yield
    watch.cancel()


async def test_a_notice_is_delivered_once_its_entry_is_committed(desk: Desk) -> None:
    channel, commits = Arrival(), CommitWatch(marks := ScriptedMarks())
    async with watched(desk, channel, commits):
        request = await desk.hold(1, LOG_PLACE)
        await desk.outbox.enter(request.id, LOG_PLACE, NoticeKind.HELD, desk.clock.now())
        marks.mark = 1
        await commits.look()
        async with asyncio.timeout(20):  # sooner than anybody looks without a commit
            await channel.event.wait()
    assert channel.messages == [(LOG_PLACE, "held", "pending", "")]


async def test_what_was_postponed_is_tried_again_without_a_commit(desk: Desk) -> None:
    channel, commits = Arrival(), CommitWatch(ScriptedMarks())  # at which nobody looks
    channel.faults = [ChannelFault("HTTP 503", is_final=False)]
    request = await desk.hold(1, LOG_PLACE)
    await desk.outbox.enter(request.id, LOG_PLACE, NoticeKind.HELD, desk.clock.now())
    async with watched(desk, channel, commits), asyncio.timeout(20):
        await channel.event.wait()
    assert desk.counts[(LOG_PLACE, "postponed")] == 1
    assert channel.messages == [(LOG_PLACE, "held", "pending", "")]


class Looks:
    """Counts how often held calls were looked for."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.count = store, 0

    async def ending(self, since: float, until: float, limit: int) -> tuple[list[str], float]:
        self.count += 1
        return await self.store.ending(since, until, limit)


class Asked(MemoryOutbox):
    """Counts how often it was asked for what is not settled."""

    def __init__(self) -> None:
        super().__init__(for_tests=True)
        self.count = 0

    async def unsettled(self) -> list[Notice]:
        self.count += 1
        return await super().unsettled()


async def test_the_end_of_a_call_is_told_though_nothing_is_committed_when_it_is_decided(desk: Desk) -> None:
    channel, commits = Arrival(), CommitWatch(marks := ScriptedMarks())
    outbox = MemoryOutbox(for_tests=True)
    watch = asyncio.create_task(replace(desk.courier, outbox=outbox, channels={"slack": channel}).watch(commits))
    request = await desk.hold()

    async def until(count: int) -> None:
        async with asyncio.timeout(20):  # sooner than anybody looks without a commit
            while len(channel.messages) < count:
                marks.mark += 1
                await commits.look()
                await asyncio.sleep(0)

    await until(1)
    marks.mark += 1
    await commits.look()  # it was delivered, which is committed
    for _ in range(20):
        await asyncio.sleep(0)
    await desk.store.decide(request.id, ApprovalState.DENIED, "ann", desk.clock.now())  # in Redis alone
    async with asyncio.timeout(20):
        while await outbox.next_due("slack") is None:
            await asyncio.sleep(0.01)
    await until(2)
    watch.cancel()
    assert [message[1:3] for message in channel.messages] == [("held", "pending"), ("settled", "denied")]


async def test_what_is_not_settled_is_read_again_once_something_is_committed_alone(desk: Desk) -> None:
    commits = CommitWatch(marks := ScriptedMarks())
    outbox, looks = Asked(), Looks(desk.store)
    watch = asyncio.create_task(replace(desk.courier, outbox=outbox, approvals=looks).watch(commits))
    async with asyncio.timeout(20):
        while looks.count < 3:  # a look each second, and the database is asked at the first
            await asyncio.sleep(0.01)
        assert outbox.count == 1
        marks.mark = 1
        await commits.look()
        while outbox.count < 2:
            await asyncio.sleep(0)
    watch.cancel()
