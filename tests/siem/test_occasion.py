"""What rules ask of an event that its record does not say by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record
from aegis_authz.siem import occasion as module
from aegis_authz.siem.entry import Weekday
from aegis_authz.siem.occasion import Uses, occasion_of
from aegis_authz.siem.severity import Severity, severity_of
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, EGRESS, EVERY, HELD, REFUSALS
from tests.support.made_records import named


def test_an_agents_first_call_to_a_tool_is_told_once() -> None:
    uses = Uses()
    calls = [ALLOWED, ALLOWED, replace(ALLOWED, tool="ehr"), replace(ALLOWED, identity=named("clinic-agent"))]
    assert [uses.add(call) for call in calls] == [True, False, True, True]


def test_a_call_that_did_not_pass_uses_nothing() -> None:
    uses = Uses()
    assert [uses.add(record) for record in (DENIED, HELD, REFUSALS, APPROVED)] == [None] * 4
    assert uses.add(ALLOWED) is True


def test_beyond_the_most_nothing_is_said_of_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_USES", 1)
    uses = Uses()
    assert [uses.add(ALLOWED), uses.add(replace(ALLOWED, tool="ehr")), uses.add(ALLOWED)] == [True, None, False]


def test_the_hour_is_that_of_the_zone() -> None:
    friday_evening = replace(ALLOWED, time=1_800_000_000.0 - 8 * 3600 + 3600 * 15)  # 2027-01-15T15:00Z
    told = occasion_of(friday_evening, UTC, None)
    assert (told.hour, told.weekday) == (15, Weekday.FRIDAY)
    told = occasion_of(friday_evening, ZoneInfo("Asia/Tokyo"), None)
    assert (told.hour, told.weekday) == (0, Weekday.SATURDAY)


def test_a_limit_is_marked_by_calls_that_used_it() -> None:
    assert occasion_of(ALLOWED, UTC, None).limit_mark == 80
    refused = replace(ALLOWED, effect=Effect.DENY, reason=Reason.BUDGET_EXCEEDED)
    assert occasion_of(refused, UTC, None).limit_mark == 0


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (ALLOWED, Severity.INFORMATIONAL),
        (HELD, Severity.LOW),
        (DENIED, Severity.MEDIUM),
        (replace(ALLOWED, would="deny"), Severity.MEDIUM),
        (EGRESS, Severity.HIGH),
        (replace(DENIED, reason=Reason.REPLAYED), Severity.HIGH),
        (replace(DENIED, reason=Reason.STORE_UNAVAILABLE), Severity.HIGH),
        (replace(DENIED, quarantined_until=1.0), Severity.HIGH),
        (REFUSALS, Severity.MEDIUM),
        (replace(REFUSALS, reason=Reason.CREDENTIAL_INVALID), Severity.HIGH),
    ],
)
def test_severity_follows_what_happened(record: Record, severity: Severity) -> None:
    assert severity_of(record) is severity
    assert severity.is_alert is (severity is Severity.HIGH)


def test_every_kind_has_a_severity() -> None:
    assert all(isinstance(severity_of(record), Severity) for record in EVERY)
