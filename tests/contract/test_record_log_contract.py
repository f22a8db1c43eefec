"""One suite for the durable record log and its twin in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.chain import read_members
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.notes import Note
from aegis_authz.evidence.verify import LogCheck
from aegis_authz.testing.record_log import MemoryRecordLog

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
Log = FileRecordLog | MemoryRecordLog
Made = tuple[Log, Callable[[], tuple[list[bytes], list[bytes]]]]


@pytest.fixture(params=["file", "memory"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """A log not yet started, and how to read its lines and notes."""
    if request.param == "memory":
        memory = MemoryRecordLog("w", KEY, for_tests=True)
        return memory, lambda: (memory.lines, [memory.note])
    folder = tmp_path / "w"

    def read() -> tuple[list[bytes], list[bytes]]:
        lines = [
            line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)
        ]
        return lines, [path.read_bytes() for path in sorted(folder.glob("*.note"))]

    return FileRecordLog(folder, "w", KEY, SystemClock()), read


def record(number: int) -> RedactionRecord:
    return RedactionRecord(f"0190-{number:04d}", 1000.0 + number, "request", {"us_ssn": number}, "done")


async def test_what_was_appended_is_there_in_order_when_append_returns(made: Made) -> None:
    log, read = made
    async with log:
        for number in range(5):
            await log.append(record(number))
            lines, _ = read()
            assert read_members(lines[-1])["decision_id"] == f"0190-{number:04d}"
            assert len(lines) == number + 1


async def test_appends_at_once_are_all_kept_in_one_chain(made: Made) -> None:
    log, read = made
    async with log:
        await asyncio.gather(*(log.append(record(number)) for number in range(300)))
        lines, notes = read()
    public = KEY.public_key().public_bytes_raw()
    numbered = [LogLine("w", number, line) for number, line in enumerate(lines, start=1)]
    check = LogCheck("w", [public], [Note("w", note) for note in notes])
    for line in numbered:
        check.add(line)
    report = check.conclude()
    assert report.is_intact, report.damages
    assert {read_members(line)["decision_id"] for line in lines} == {f"0190-{number:04d}" for number in range(300)}


async def test_a_log_not_started_or_closed_refuses(made: Made) -> None:
    log, read = made
    with pytest.raises(Refused) as refusal:
        await log.append(record(1))
    assert refusal.value.reason is Reason.RECORD_FAILED
    assert (log.ready, log.trouble) == (False, "the record log is closed")
    async with log:
        assert (log.ready, log.trouble) == (True, "")
        await log.append(record(2))
    assert log.trouble == "the record log is closed"
    with pytest.raises(Refused):
        await log.append(record(3))
    assert len(read()[0]) == 1


async def test_a_record_whose_caller_stopped_waiting_is_kept_all_the_same(made: Made) -> None:
    log, read = made
    async with log:
        waiting = asyncio.create_task(log.append(record(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await log.append(record(2))
        assert [read_members(line)["decision_id"] for line in read()[0]] == ["0190-0001", "0190-0002"]


async def test_a_record_without_json_form_is_refused_and_harms_no_other(made: Made) -> None:
    log, read = made
    odd = RedactionRecord("0190-0001", 1.0, "request", {"x": object()}, "done")  # type: ignore[dict-item]
    async with log:
        with pytest.raises(Refused) as refusal:
            await log.append(odd)
        assert refusal.value.reason is Reason.RECORD_FAILED
        await log.append(record(2))
        assert len(read()[0]) == 1
        assert log.trouble == ""


async def test_records_that_are_appended_together_are_there_in_their_order(made: Made) -> None:
    log, read = made
    async with log:
        await asyncio.gather(
            log.append(record(0)), log.append_all([record(1), record(2), record(3)]), log.append(record(4))
        )
        await log.append_all([])
        await log.append_all([record(5)])
        lines, _ = read()
        assert [read_members(line)["decision_id"] for line in lines] == [f"0190-{number:04d}" for number in range(6)]
    with pytest.raises(Refused):
        await log.append_all([record(6), record(7)])


async def test_of_records_that_are_appended_together_none_is_kept_when_one_cannot_be(made: Made) -> None:
    log, read = made
    spoilt = replace(record(1), counts={"us_ssn": object()})  # type: ignore[dict-item]
    async with log:
        with pytest.raises(Refused) as refusal:
            await log.append_all([record(0), spoilt, record(2)])
        assert refusal.value.reason is Reason.RECORD_FAILED
        await log.append_all([record(3), record(4)])
        lines, _ = read()
    assert [read_members(line)["decision_id"] for line in lines] == ["0190-0003", "0190-0004"]
