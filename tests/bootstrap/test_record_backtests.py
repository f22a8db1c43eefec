"""The newest records decided again as the control plane does it, on a real OPA and a real Redis."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aegis_authz.adapters.records.encrypting import encrypt_log
from aegis_authz.adapters.records.files import NoRecords, log_files
from aegis_authz.adapters.records.keyring import VARIABLE, FileKey, make_key_file
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.unread import SegmentUnread
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.record_backtests import RecordBacktests, recent_lines
from aegis_authz.config.publishing import BacktestSettings
from aegis_authz.control.policies.backtests import Verdict
from aegis_authz.control.policies.trials import TrialsFault
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Epoch, Monotonic
from aegis_authz.policy.load import Loaded, load
from tests.support.recorded_payments import KEY, NOON, payment, write_log
from tests.support.tried_policies import POLICIES, TOOLS

DAY = 86_400.0
SERVED = load({"a.yaml": POLICIES}, {"t.yaml": TOOLS})
WIDER = load({"a.yaml": POLICIES.replace("max_amount: 100", "max_amount: 900")}, {"t.yaml": TOOLS})
WIDEST = load({"a.yaml": POLICIES.replace("max_amount: 100", "max_amount: 9000")}, {"t.yaml": TOOLS})
PAYEES = """\
      parameters:
        payee:
          in: [ACME, Globex]
          else: approval_needed
    approval: {groups: [finance]}
"""
LINES = [
    payment(0, 50, Reason.ALLOWED),
    payment(1, 500, Reason.POLICY_DENIED),
    payment(2, 5000, Reason.POLICY_DENIED),
]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Two logs, whose calls came one after the other."""
    write_log(tmp_path / "records", "authz-0", [LINES[0], LINES[2]])
    write_log(tmp_path / "records", "authz-1", [LINES[1]])
    return tmp_path / "records"


class ScriptedClock:
    """The time of the epoch is that; `ticks` are the answers of the other clock, the last of them for good."""

    def __init__(self, epoch: float, *ticks: float) -> None:
        self._epoch = epoch
        self._ticks = [*ticks] or [0.0]

    def now(self) -> Epoch:
        return Epoch(self._epoch)

    def monotonic(self) -> Monotonic:
        return Monotonic(self._ticks.pop(0) if len(self._ticks) > 1 else self._ticks[0])


def verdict(
    records: Path,
    loaded: Loaded,
    served: Loaded | None,
    terms: BacktestSettings | None = None,
    clock: ScriptedClock | None = None,
) -> Verdict:
    backtests = RecordBacktests(records, terms or BacktestSettings(), clock or ScriptedClock(NOON + 60))
    return asyncio.run(backtests.verdict(loaded, served))


def amounts(records: Path, since: float, most: int) -> list[object]:
    lines = recent_lines(records, since, most)
    return [
        next(record.parameters["amount"] for record in LINES if f'"{record.decision_id}"'.encode() in line.raw)
        for line in lines
        if b'"kind":"decision"' in line.raw
    ]


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_documents_that_decide_as_was_decided_pass(records: Path) -> None:
    assert verdict(records, SERVED, SERVED) == Verdict(3, 0, 0, "", "")


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_wider_documents_are_milder_until_they_are_served(records: Path) -> None:
    wider = verdict(records, WIDER, SERVED)
    assert (wider.judged, wider.milder) == (3, 1)
    assert wider.first.startswith("payments-api pay (deny -> allow, by paying")
    assert verdict(records, WIDER, None).milder == 1
    assert verdict(records, WIDER, WIDER).milder == 0
    assert verdict(records, WIDEST, WIDER).milder == 1


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_calls_that_a_candidate_hides_from_its_trial_are_counted(records: Path) -> None:
    """It reads one parameter less: what it makes of calls that had it cannot be told."""
    tools = TOOLS.replace("      payee: {from: /payee, type: string}\n", "")
    policies = POLICIES.replace(PAYEES, "").replace("max_amount: 100", "max_amount: 9000")
    blind = load({"a.yaml": policies}, {"t.yaml": tools})
    hidden = verdict(records, blind, SERVED)
    assert (hidden.judged, hidden.milder, hidden.unjudged) == (0, 0, 3)
    assert verdict(records, blind, blind).unjudged == 0


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_calls_before_the_window_do_not_count(records: Path) -> None:
    assert verdict(records, WIDEST, SERVED, BacktestSettings(window=DAY), ScriptedClock(NOON + DAY + 1.5)).judged == 1


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_without_records_no_call_is_judged(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    assert verdict(tmp_path / "records", WIDER, SERVED) == Verdict(0, 0, 0, "", "")


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_what_is_not_done_in_time_is_a_fault(records: Path) -> None:
    with pytest.raises(TrialsFault, match=r"0 of \d+ records were done in 5 seconds"):
        verdict(records, WIDER, SERVED, BacktestSettings(seconds=5), ScriptedClock(NOON, 0.0, 0.0, 7.0))


def test_the_newest_records_of_all_logs_are_taken_in_the_order_of_their_times(records: Path) -> None:
    assert amounts(records, 0.0, 100) == [50, 500, 5000]
    most = len(recent_lines(records, 0.0, 100))
    assert amounts(records, 0.0, most - 1)[-2:] == [500, 5000]
    assert amounts(records, NOON + 2 * 3600, 100) == []
    whole = recent_lines(records, 0.0, 100)
    assert recent_lines(records, 0.0, 100, sum(len(line.raw) for line in whole[-3:])) == whole[-3:]
    with pytest.raises(NoRecords):
        recent_lines(records.parent / "elsewhere", 0.0, 100)


def test_a_segment_that_cannot_be_read_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is newer than it can be taken; what is as old as it is not left out in silence."""
    folder = tmp_path / "records" / "authz-0"

    async def grow() -> None:
        async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=4000) as log:
            for number in range(12):
                await log.append(payment(number, 50, Reason.ALLOWED))

    asyncio.run(grow())
    make_key_file(tmp_path / "kek")
    monkeypatch.setenv(VARIABLE, f"file:{tmp_path / 'kek'}")
    assert [*encrypt_log(folder, [KEY.public_key().public_bytes_raw()], FileKey(tmp_path / "kek"), KEY)]
    (log,) = log_files(tmp_path / "records")
    whole = recent_lines(tmp_path / "records", 0.0, 1000)
    assert whole == [*log.oldest_first()]
    monkeypatch.delenv(VARIABLE)
    assert recent_lines(tmp_path / "records", 0.0, 1) == whole[-1:]
    with pytest.raises(SegmentUnread, match=r"jsonl\.enc cannot be read"):
        recent_lines(tmp_path / "records", 0.0, 1000)


def test_a_demand_that_nothing_can_meet_is_refused() -> None:
    with pytest.raises(ValueError, match="fewest is more than most"):
        BacktestSettings(most=10, fewest=11)
