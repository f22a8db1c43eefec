"""What alerts do, in memory, on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.alerts import SqlAlerts
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.core.alert import MANY, Alert, AlertPlan, Sighting
from aegis_authz.core.notice import NoticeKind
from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.notices import MOST_OPEN, Alerts, Outbox
from aegis_authz.testing.alerts import MemoryAlerts
from aegis_authz.testing.outbox import MemoryOutbox
from tests.support.real_postgres import database_url

AGENT = Scope("acme", "emea", "clinic-agent")
PLAN = AlertPlan(("log", "webhook:soc"), 60.0)


@dataclass(frozen=True)
class Pair:
    """Alerts, and the outbox their notices are in."""

    alerts: Alerts
    outbox: Outbox

    async def told(self, channel: str, now: float) -> list[Alert]:
        """What is due on that channel, as it is told."""
        alerts = []
        while (notice := await self.outbox.claim(channel, now, now + 1_000)) is not None:
            assert notice.kind is NoticeKind.ALERT
            alert = await self.alerts.close(notice.subject, now)
            assert alert is not None
            alerts.append(alert)
        return alerts


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "memory":
        outbox = MemoryOutbox(for_tests=True)
        yield Pair(MemoryAlerts(outbox, for_tests=True), outbox)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield Pair(SqlAlerts(database), SqlOutbox(database))
    await database.close()


def sighting(number: int, destination: str = "evil.example:443", scope: Scope = AGENT) -> Sighting:
    return Sighting(scope, Reason.EGRESS_DENIED, destination, 100.0 + number, f"decision-{number}", PLAN)


async def test_a_burst_is_one_alert_with_a_count_at_every_place(pair: Pair) -> None:
    await pair.alerts.gather([sighting(number) for number in range(7)], 110.0)
    await pair.alerts.gather([sighting(number) for number in range(7, 10)], 120.0)
    assert await pair.told("log", 169.0) == []
    (alert,) = await pair.told("log", 170.0)
    assert (alert.scope, alert.reason, alert.destination) == (str(AGENT), Reason.EGRESS_DENIED, "evil.example:443")
    assert (alert.count, alert.first, alert.last) == (10, 100.0, 109.0)
    assert alert.decisions == tuple(f"decision-{number}" for number in range(5))
    assert await pair.told("webhook", 170.0) == [alert]


async def test_what_comes_after_it_was_told_is_another_alert(pair: Pair) -> None:
    await pair.alerts.gather([sighting(0)], 110.0)
    (first,) = await pair.told("log", 170.0)
    await pair.alerts.gather([sighting(1)], 171.0)
    (second,) = await pair.told("log", 231.0)
    assert (first.count, second.count) == (1, 1)
    assert first.id != second.id
    assert await pair.told("webhook", 231.0) == [first, second]


async def test_a_restart_ends_no_time_in_which_an_alert_gathers(pair: Pair) -> None:
    await pair.alerts.gather([sighting(0)], 110.0)
    if isinstance(pair.outbox, SqlOutbox):
        await pair.outbox.end_claims(120.0)
    assert await pair.told("log", 169.0) == []
    (alert,) = await pair.told("log", 170.0)
    assert (alert.count, alert.closed) == (1, 170.0)


async def test_what_comes_late_for_a_channel_that_is_slow_is_in_the_same_alert(pair: Pair) -> None:
    await pair.alerts.gather([sighting(0)], 110.0)
    await pair.alerts.gather([sighting(1)], 400.0)
    assert [alert.count for alert in await pair.told("log", 500.0)] == [2]


async def test_agents_destinations_and_tenants_have_alerts_of_their_own(pair: Pair) -> None:
    others = [sighting(1, "b.example"), sighting(2, scope=replace(AGENT, agent="b")), sighting(3, scope=replace(AGENT, tenant="us"))]  # fmt: skip
    await pair.alerts.gather([sighting(0), *others], 110.0)
    assert [alert.count for alert in await pair.told("log", 170.0)] == [1, 1, 1, 1]


async def test_a_tenant_that_invents_destinations_fills_no_channel(pair: Pair) -> None:
    await pair.alerts.gather([sighting(number, f"{number}.example") for number in range(MOST_OPEN + 50)], 110.0)
    await pair.alerts.gather([sighting(1, scope=Scope("acme", "us", "a"))], 110.0)
    alerts = await pair.told("log", 170.0)
    assert len(alerts) == MOST_OPEN + 2
    (rest,) = [alert for alert in alerts if alert.destination == MANY]
    assert (rest.agent, rest.count) == (MANY, 50)
    assert [alert.count for alert in alerts if alert.tenant == "us"] == [1]


async def test_held_calls_come_before_alerts(pair: Pair) -> None:
    await pair.alerts.gather([sighting(0)], 110.0)
    await pair.outbox.enter("apr_1", "webhook:soc", NoticeKind.HELD, 175.0)
    notice = await pair.outbox.claim("webhook", 176.0, 200.0)
    assert notice is not None
    assert notice.subject == "apr_1"
    assert await pair.outbox.unsettled() == []


async def test_an_alert_that_is_unknown_is_none(pair: Pair) -> None:
    assert await pair.alerts.close("alt_nothing", 1.0) is None


async def test_a_database_that_is_gone_is_said(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")  # never made
    with pytest.raises(StoreDown, match="alerts cannot be used"):
        await SqlAlerts(database).gather([sighting(0)], 1.0)
    await database.close()


async def test_old_alerts_are_forgotten(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    await database.migrate()
    alerts = SqlAlerts(database)
    await alerts.gather([sighting(0)], 110.0)
    outbox = SqlOutbox(database)
    notice = await outbox.claim("log", 500.0, 600.0)
    assert notice is not None
    await alerts.gather([sighting(40 * 86_400, "b.example")], 40 * 86_400.0)
    assert await alerts.close(notice.subject, 1.0) is None
    await database.close()
