"""Refusals that documents want told are gathered from the records, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.alerting import Alerter, destination_of
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.alert import ALERTING, NO_ALERT_RULES, AlertRules, AlertTerms, Sighting
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.release import ReleasesFault
from aegis_authz.evidence.search import RecordsUnavailable
from aegis_authz.ports.commits import LONGEST
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.alerts import MemoryAlerts
from aegis_authz.testing.outbox import MemoryOutbox
from tests.support.commit_marks import ScriptedMarks
from tests.support.made_records import DENIED

EGRESS = replace(DENIED, reason=Reason.EGRESS_DENIED, tool="", action="", host="evil.example", port=443)
RULES = AlertRules.by({"*/*/*": [AlertTerms(frozenset({Reason.EGRESS_DENIED}), ("log", "webhook:soc"), 0.0)]})


@dataclass
class Script:
    """Batches of refusals, as a follower reads them; one that is None cannot be read."""

    batches: list[list[DecisionRecord] | None]
    names: Sequence[str] = ("authz-0",)
    kept: int = 0
    forgotten: int = 0

    def read(self, most: int, since: float) -> tuple[int, list[DecisionRecord]]:
        batch = self.batches[self.kept] if self.kept < len(self.batches) else []
        if batch is None:
            raise RecordsUnavailable("the disk is away")
        return len(batch), batch

    def keep(self) -> None:
        self.kept += 1

    def forget(self) -> None:
        self.forgotten += 1

    def writers(self) -> Sequence[str]:
        return self.names


@dataclass
class Desk:
    """An alerter over a script, and what it gathered."""

    script: Script
    rules: AlertRules = RULES
    outbox: MemoryOutbox = field(default_factory=lambda: MemoryOutbox(for_tests=True))

    def __post_init__(self) -> None:
        self.alerts = MemoryAlerts(self.outbox, for_tests=True)
        channels = {"log", "webhook"}
        self.alerter = Alerter(self.script, lambda: self.rules, self.alerts, channels.__contains__, SystemClock())

    async def told(self, channel: str = "webhook") -> list[tuple[str, str, int]]:
        """What is due on that channel."""
        now, found = SystemClock().now() + 1, []
        while (notice := await self.outbox.claim(channel, now, now + 100)) is not None:
            alert = await self.alerts.close(notice.subject, now)
            assert alert is not None
            found.append((alert.scope, alert.destination, alert.count))
        return found


async def test_refusals_that_a_document_names_are_gathered_at_its_places() -> None:
    desk = Desk(Script([[EGRESS, EGRESS, DENIED]]))
    await desk.alerter.look()
    scope = "acme/emea/finance-agent"
    assert await desk.told() == [(scope, "evil.example:443", 2)]
    assert await desk.told("log") == [(scope, "evil.example:443", 2)]
    assert desk.script.kept == 1


async def test_refusals_of_nobody_and_of_others_are_not_told() -> None:
    rules = AlertRules.by({"acme/us/*": [AlertTerms(ALERTING, ("log",), 0.0)]})
    desk = Desk(Script([[EGRESS, replace(EGRESS, identity=None)]]), rules)
    await desk.alerter.look()
    assert await desk.told("log") == []
    assert desk.script.kept == 1


async def test_where_no_document_wants_any_nothing_is_read() -> None:
    desk = Desk(Script([None]), NO_ALERT_RULES)
    pause = await desk.alerter.look()
    assert pause == LONGEST  # or until somebody publishes that they want some
    assert (desk.script.kept, desk.script.forgotten) == (0, 1)


async def test_what_cannot_be_gathered_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(Script([[EGRESS]]))
    down = True

    async def gather(sightings: Sequence[Sighting], now: float) -> None:
        if down:
            raise StoreDown("alerts cannot be used")
        await MemoryAlerts.gather(desk.alerts, sightings, now)

    monkeypatch.setattr(desk.alerts, "gather", gather)
    await desk.alerter.look()
    assert desk.script.kept == 0
    down = False
    await desk.alerter.look()
    assert (desk.script.kept, len(await desk.told())) == (1, 1)


async def test_what_hinders_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(Script([None]))
    pauses = [await desk.alerter.look() for _ in range(3)]
    assert caplog.text.count("refusals are not told: the disk is away") == 1
    assert pauses == [5.0] * 3


async def test_a_place_whose_channel_is_gone_is_said_once_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    terms = AlertTerms(frozenset({Reason.EGRESS_DENIED}), ("log", "slack:#soc"), 0.0)
    desk = Desk(Script([[EGRESS], [EGRESS]]), AlertRules.by({"*/*/*": [terms]}))
    for _ in range(2):
        await desk.alerter.look()
    assert len(await desk.told("log")) == 1
    assert caplog.text.count("nobody is told at slack:#soc") == 1


async def test_whoever_publishes_is_told_that_no_decisions_are_recorded_here() -> None:
    (caution,) = await Desk(Script([], names=())).alerter.cautions()
    assert "no authorizer has written records" in caution
    assert await Desk(Script([])).alerter.cautions() == ()
    assert await Desk(Script([], names=()), NO_ALERT_RULES).alerter.cautions() == ()


async def test_documents_that_cannot_be_read_are_no_caution() -> None:
    def away() -> AlertRules:
        raise ReleasesFault("away")

    alerts = MemoryAlerts(MemoryOutbox(for_tests=True), for_tests=True)
    alerter = Alerter(Script([], names=()), away, alerts, {"log"}.__contains__, SystemClock())
    assert await alerter.cautions() == ()


def test_a_destination_holds_nothing_that_an_agent_sent_but_its_host() -> None:
    assert destination_of(DENIED) == "stripe-payments"
    assert destination_of(EGRESS) == "evil.example:443"
    assert destination_of(replace(EGRESS, port=None)) == "evil.example"


async def test_refusals_are_told_once_it_is_published_that_somebody_wants_them() -> None:
    commits, desk = CommitWatch(marks := ScriptedMarks()), Desk(Script([[EGRESS]]), NO_ALERT_RULES)
    watch = asyncio.create_task(desk.alerter.watch(commits))
    async with asyncio.timeout(20):  # sooner than anybody looks without a commit
        while not desk.script.forgotten:
            await asyncio.sleep(0)
        desk.rules = RULES
        marks.mark = 1
        await commits.look()
        while not desk.script.kept:
            await asyncio.sleep(0)
    watch.cancel()
    assert len(await desk.told()) == 1
