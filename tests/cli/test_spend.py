"""`aegis spend`: sums as a table, as JSON and as CSV by the column names of FOCUS."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.app import app
from aegis_authz.cli.spend_text import FOCUS
from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, OutcomeRecord, SettledCost
from tests.support.made_records import DENIED

PAID = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, cost=Money(42_500_000, "EUR"))
BACK = OutcomeRecord(
    "d-2", 1.0, 503, "via_upstream", (), True, 1, 2, 3.0, 4.0, SettledCost(Money(0, "EUR"), CostState.RELEASED)
)


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    for writer, own in (("authz-0", (DENIED, PAID, replace(PAID, decision_id="d-2"))), ("authz-1", (BACK,))):
        log = FileRecordLog(tmp_path / writer, writer, Ed25519PrivateKey.generate(), SystemClock())
        async with log:
            for record in own:
                await log.append(record)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["spend", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


async def test_spend_is_added_up_over_all_logs(records: Path) -> None:
    lines = run(str(records), "--by", "agent,day").splitlines()
    assert lines[0].split() == ["agent", "day", "calls", "cost", "unsettled", "released"]
    assert lines[1].split() == ["acme/emea/finance-agent", "2027-01-15", "2", "42.50", "EUR", "42.50", "EUR", "1"]
    (row,) = json.loads(run(str(records), "--json"))
    assert row == {
        "tenant": "acme/emea",
        "tool": "stripe-payments",
        "currency": "EUR",
        "calls": 2,
        "micros": 42_500_000,
        "unsettled_micros": 42_500_000,
        "released_calls": 1,
    }
    assert run(str(records), "--since", "2027-02-01T00:00Z", "--json").strip() == "[]"


async def test_the_csv_has_the_columns_of_focus(records: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(run(str(records), "--csv", "focus")))
    assert tuple(row) == FOCUS
    assert (row["BilledCost"], row["BillingCurrency"], row["SubAccountId"]) == ("42.50", "EUR", "acme/emea")
    assert (row["ChargePeriodStart"], row["BillingPeriodEnd"]) == ("2027-01-15T00:00:00Z", "2027-02-01T00:00:00Z")


def test_another_word_to_add_up_by_is_refused(tmp_path: Path) -> None:
    for by in ("week", "tool,tool", ""):
        assert CliRunner().invoke(app, ["spend", str(tmp_path), "--by", by]).exit_code == 2
    assert CliRunner().invoke(app, ["spend", str(tmp_path / "nowhere")]).exit_code == 2
