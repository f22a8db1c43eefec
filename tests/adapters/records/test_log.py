from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records import folder as record_folder
from aegis_authz.adapters.records.files import verify_folder
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import read_members
from aegis_authz.evidence.log_report import LogReport

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def record(number: int) -> RedactionRecord:
    return RedactionRecord(f"0190-{number:04d}", 1000.0 + number, "request", {"us_ssn": number}, "done")


def a_log(tmp_path: Path, **options: int) -> FileRecordLog:
    return FileRecordLog(tmp_path / "w", "w", KEY, SystemClock(), **options)


def verified(tmp_path: Path) -> LogReport:
    (report,) = verify_folder(tmp_path, [PUBLIC])
    return report


def contents(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((tmp_path / "w").glob("*.jsonl"))]


def ids(tmp_path: Path) -> list[str]:
    members = [read_members(line) for content in contents(tmp_path) for line in content.splitlines()]
    return [str(record["decision_id"]) for record in members if record["kind"] != "seal"]


async def refused(log: FileRecordLog, number: int) -> str:
    with pytest.raises(Refused) as refusal:
        await log.append(record(number))
    assert refusal.value.reason is Reason.RECORD_FAILED
    return refusal.value.detail


async def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for start in (0, 10, 20):
        async with a_log(tmp_path) as log:
            for number in range(start, start + 3):
                await log.append(record(number))
    report = verified(tmp_path)
    assert report.is_intact, report.damages
    assert report.records == report.sealed == 9


async def test_a_full_file_is_followed_by_the_next_in_one_chain(tmp_path: Path) -> None:
    async with a_log(tmp_path, max_file_bytes=1000) as log:
        for number in range(12):
            await log.append(record(number))
    async with a_log(tmp_path, max_file_bytes=1000) as log:
        await log.append(record(12))
    files = sorted(path.name for path in (tmp_path / "w").glob("*.jsonl"))
    assert files[:3] == ["00000001.jsonl", "00000002.jsonl", "00000003.jsonl"]
    ends = [(len(content), content.splitlines()[-1]) for content in contents(tmp_path)]
    assert all(size - len(last) <= 1000 and b'"kind":"seal"' in last for size, last in ends[:-1])
    report = verified(tmp_path)
    assert report.is_intact, report.damages
    assert report.records == 13 + len(ends) - 1


async def test_a_log_that_is_being_written_to_verifies(tmp_path: Path) -> None:
    async with a_log(tmp_path) as log:
        writing = asyncio.gather(*(log.append(record(number)) for number in range(2000)))
        report = await asyncio.to_thread(verified, tmp_path)
        assert report.is_intact, report.damages
        await writing
        assert (await asyncio.to_thread(verified, tmp_path)).records == 2000


async def test_two_writers_cannot_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LOCK_PATIENCE", 0.0)
    async with a_log(tmp_path) as first:
        with pytest.raises(FolderBusy, match="another process writes"):
            await a_log(tmp_path).start()
        await first.append(record(1))


async def test_a_writer_takes_over_as_soon_as_the_one_before_it_closes(tmp_path: Path) -> None:
    first, second = a_log(tmp_path), a_log(tmp_path)
    await first.start()
    starting = asyncio.create_task(second.start())
    await first.append(record(1))
    await first.close()
    await starting
    await second.append(record(2))
    await second.close()
    assert ids(tmp_path) == ["0190-0001", "0190-0002"]


async def test_more_than_the_queue_holds_is_refused(tmp_path: Path) -> None:
    async with a_log(tmp_path, max_waiting=3) as log:
        answers = await asyncio.gather(*(log.append(record(number)) for number in range(5)), return_exceptions=True)
        assert [type(answer).__name__ for answer in answers] == ["NoneType"] * 3 + ["Refused"] * 2
        await log.append(record(9))


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    await log.start()
    waiting = [asyncio.create_task(log.append(record(number))) for number in range(50)]
    await asyncio.sleep(0)
    await log.close()
    await asyncio.gather(*waiting)
    assert len(ids(tmp_path)) == 50
    assert verified(tmp_path).is_intact
    notes = [path.read_bytes() for path in (tmp_path / "w").glob("*.note")]
    assert notes[0] == notes[1]


@pytest.mark.parametrize("step", ["_write", "fdatasync", "fdatasync of the slot", "pwrite"])
async def test_a_failing_disk_refuses_everything_that_waits_and_later_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async with a_log(tmp_path) as log:
        await log.append(record(1))
        with monkeypatch.context() as broken:
            _break(broken, step)
            waiting = asyncio.gather(*(log.append(record(number)) for number in range(2, 5)), return_exceptions=True)
            assert {str(answer) for answer in await waiting} == {"RECORD_FAILED: No space left on device"}
            assert log.trouble == "No space left on device"
            assert await refused(log, 5) == "No space left on device"
        await log.append(record(6))
        assert log.trouble == ""
    assert ids(tmp_path) == ["0190-0001", "0190-0006"]
    report = verified(tmp_path)
    assert report.is_intact, report.damages


def _break(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise full

    def fail(*_: object) -> None:
        raise full

    def fail_for_slots(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".note"):
            raise full

    if step == "_write":
        monkeypatch.setattr(record_folder, "_write", half)
    elif step == "fdatasync of the slot":
        monkeypatch.setattr(os, "fdatasync", fail_for_slots)
    else:
        monkeypatch.setattr(os, step, fail)


async def test_a_disk_that_fails_behind_a_rotation_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_log(tmp_path, max_file_bytes=300) as log:
        await log.append(record(1))
        with monkeypatch.context() as broken:
            _break(broken, "_write")
            await refused(log, 2)
        await log.append(record(3))
    assert ids(tmp_path) == ["0190-0001", "0190-0003"]
    assert len(list((tmp_path / "w").glob("*.jsonl"))) == 2
    assert verified(tmp_path).is_intact


async def test_a_failed_log_finds_back_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._RETRY_SECONDS", 0.01)
    repaired = threading.Event()
    probe = record_folder.RecordFolder._probe

    def probe_and_tell(folder: record_folder.RecordFolder) -> None:
        probe(folder)
        repaired.set()

    monkeypatch.setattr(record_folder.RecordFolder, "_probe", probe_and_tell)
    async with a_log(tmp_path) as log:
        with monkeypatch.context() as broken:
            _break(broken, "_write")
            await refused(log, 1)
        assert await asyncio.to_thread(repaired.wait, 5)
        await log.append(record(2))
    assert ids(tmp_path) == ["0190-0002"]


@pytest.mark.parametrize("name", ["00000001.jsonl", "checkpoint-a.note"])
async def test_no_record_is_answered_for_once_its_file_was_removed(tmp_path: Path, name: str) -> None:
    async with a_log(tmp_path) as log:
        await log.append(record(1))
        await log.append(record(2))
        (tmp_path / "w" / name).unlink()
        answers = [await _answer(log, number) for number in range(3, 6)]
        assert answers[-1] is Reason.RECORD_FAILED
        assert log.trouble


async def test_a_log_that_is_closed_without_its_checkpoints_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_log(tmp_path) as log:
        await log.append(record(1))
        for checkpoint in (tmp_path / "w").glob("*.note"):
            checkpoint.unlink()
    assert "could not write its final checkpoint" in caplog.text
    assert "was removed while its log was written" in caplog.text


async def _answer(log: FileRecordLog, number: int) -> Reason | None:
    try:
        await log.append(record(number))
    except Refused as refusal:
        return refusal.reason
    return None


async def test_a_file_cut_while_it_is_written_stays_refused(tmp_path: Path) -> None:
    async with a_log(tmp_path) as log:
        await log.append(record(1))
        os.truncate(tmp_path / "w" / "00000001.jsonl", 10)
        assert "was changed while it was written" in await refused(log, 2)
        assert "is sealed but missing" in await refused(log, 3)
        assert log.trouble
    assert not verified(tmp_path).is_intact


async def test_a_bug_in_the_writer_refuses_instead_of_hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_log(tmp_path) as log:
        with monkeypatch.context() as broken:
            broken.setattr(record_folder, "link", lambda *_: 1 / 0)
            async with asyncio.timeout(5):
                assert await refused(log, 1) == "ZeroDivisionError in the writer"
        await log.append(record(2))
    assert verified(tmp_path).is_intact


async def test_the_folder_and_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with a_log(tmp_path) as log:
        await log.append(record(1))
    assert (tmp_path / "w").stat().st_mode & 0o077 == 0
    assert (tmp_path / "w" / "00000001.jsonl").stat().st_mode & 0o077 == 0


def _groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each group has that is written from now on."""
    groups: list[int] = []
    commit = record_folder.RecordFolder.commit

    def commit_and_count(folder: record_folder.RecordFolder, records: list[bytes], now: Epoch) -> None:
        groups.append(len(records))
        commit(folder, records, now)

    monkeypatch.setattr(record_folder.RecordFolder, "commit", commit_and_count)
    return groups


async def test_records_that_nobody_waits_for_are_written_with_one_that_somebody_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LAG", 3600.0)
    async with a_log(tmp_path) as log, asyncio.timeout(5):
        await log.append(record(1))
        groups = _groups(monkeypatch)
        several = asyncio.create_task(log.append_all([record(2), record(3)]))
        for _ in range(10):  # turns of the loop in which they would be handed over
            await asyncio.sleep(0)
        await log.append(record(4))
        await several
        assert groups == [3]


async def test_records_that_nobody_waits_for_wait_only_where_others_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LAG", 3600.0)
    async with a_log(tmp_path) as log, asyncio.timeout(5):
        await log.append_all([record(1), record(2)])
        await log.append_all([record(3), record(4)])
        assert ids(tmp_path) == ["0190-0001", "0190-0002", "0190-0003", "0190-0004"]


async def test_records_that_nobody_waits_for_are_written_alone_once_their_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LAG", 0.2)
    async with a_log(tmp_path) as log, asyncio.timeout(5):
        await log.append(record(1))
        groups = _groups(monkeypatch)
        await asyncio.gather(log.append_all([record(2), record(3)]), log.append_all([record(4), record(5)]))
        await log.append_all([record(6), record(7)])
        assert groups == [4, 2]


async def test_records_that_come_while_others_are_written_are_written_in_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    fdatasync = os.fdatasync

    def wait_and_sync(descriptor: int) -> None:
        begun.set()
        assert may_end.wait(5)
        fdatasync(descriptor)

    async with a_log(tmp_path) as log, asyncio.timeout(5):
        groups = _groups(monkeypatch)
        monkeypatch.setattr(os, "fdatasync", wait_and_sync)
        first = asyncio.create_task(log.append(record(1)))
        assert await asyncio.to_thread(begun.wait, 5)
        several = asyncio.create_task(log.append_all([record(2), record(3)]))
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(first, several)
        assert groups == [1, 2]
    assert ids(tmp_path) == ["0190-0001", "0190-0002", "0190-0003"]


async def test_a_record_by_itself_waits_for_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LAG", 3600.0)
    async with a_log(tmp_path) as log, asyncio.timeout(5):
        await log.append_all([record(1)])
        assert ids(tmp_path) == ["0190-0001"]


async def test_what_waits_for_others_is_written_when_the_log_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._LAG", 3600.0)
    async with asyncio.timeout(5):
        async with a_log(tmp_path) as log:
            await log.append(record(1))
            several = asyncio.create_task(log.append_all([record(2), record(3)]))
            await asyncio.sleep(0)
        await several
    assert ids(tmp_path) == ["0190-0001", "0190-0002", "0190-0003"]
