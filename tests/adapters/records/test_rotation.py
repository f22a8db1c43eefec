"""A segment is closed and the next begun: the log is whole wherever the machine stops in between."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.core.record import RedactionRecord, SealRecord
from aegis_authz.core.units import Epoch, Monotonic
from aegis_authz.evidence.chain import encode_record, read_record
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.segment import verify_seal
from aegis_authz.evidence.succession import sign_succession

KEY, SUCCESSOR = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8))
KEYS = [key.public_key().public_bytes_raw() for key in (KEY, SUCCESSOR)]
SMALL = 900
"""Bytes: three records fit."""
NOW = Epoch(1000.0)
_STEPS = ("write", "fdatasync", "pwrite", "open", "fsync", "ftruncate")


class Stopped(BaseException):
    """The machine stops here."""


def record(number: int) -> bytes:
    return encode_record(RedactionRecord(f"0190-{number:04d}", 1.0, "request", {"us_ssn": number}, "done"))


def opened(folder: Path, key: RecordKey | None = None) -> RecordFolder:
    log = RecordFolder(folder, "w", key or RecordKey(KEY, ()), SMALL)
    log.take_lock()
    log.open(NOW)
    return log


def full(folder: Path) -> RecordFolder:
    """A log whose next record does not fit into its segment."""
    log = opened(folder)
    for number in range(1, 4):
        log.commit([record(number)], NOW)
    assert not (folder / "00000002.jsonl").exists()
    return log


def ids(folder: Path) -> list[str]:
    (log,) = log_files(folder)
    records = [read_record(line.raw) for line in log.oldest_first()]
    return [each.decision_id for each in records if isinstance(each, RedactionRecord)]


def require_whole(folder: Path) -> None:
    (report,) = verify_folder(folder, KEYS)
    assert report.is_intact, report.damages


def stop_at(monkeypatch: pytest.MonkeyPatch, number: int, fault: BaseException, half: bool = False) -> list[str]:
    """Have the call of that number from 1 among those that reach the disk not come back; returns what was called."""
    calls: list[str] = []

    def stopping(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def step(*words: object, **options: object) -> object:
            calls.append(name)
            if len(calls) != number:
                return real(*words, **options)
            if half and name in ("write", "pwrite"):
                real(words[0], bytes(words[1])[: len(bytes(words[1])) // 2], *words[2:])  # type: ignore[arg-type]  # bytes-like
            elif half:
                real(*words, **options)
            raise fault

        return step

    for name in _STEPS:
        monkeypatch.setattr(os, name, stopping(name))
    return calls


@pytest.mark.parametrize("half", [False, True], ids=["before the step", "within or behind the step"])
def test_a_machine_that_stops_at_any_step_of_a_rotation_leaves_a_log_that_goes_on(tmp_path: Path, half: bool) -> None:
    number, stopped = 0, True
    while stopped:
        number += 1
        folder = tmp_path / str(number) / "w"
        log = full(folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            calls = stop_at(monkeypatch, number, Stopped(), half)
            try:
                log.commit([record(4)], NOW)
                stopped = False
            except Stopped:
                pass
        log.release()
        after = opened(folder)
        after.commit([record(5)], NOW)
        after.close()
        require_whole(folder)
        expected = [f"0190-{n:04d}" for n in (1, 2, 3)]
        assert ids(folder) in ([*expected, "0190-0005"], [*expected, "0190-0004", "0190-0005"])
        assert stopped or "0190-0004" in ids(folder)
    # the seal: its line, its checkpoint; the next file and its name; the record and its checkpoint
    assert calls == ["write", "fdatasync", "pwrite", "fdatasync", "open", "open", "fsync", *calls[:4]]


def test_a_disk_that_fails_at_any_step_of_a_rotation_is_repaired(tmp_path: Path) -> None:
    number, failed = 0, True
    while failed:
        number += 1
        folder = tmp_path / str(number) / "w"
        log = full(folder)
        with pytest.MonkeyPatch.context() as monkeypatch:
            stop_at(monkeypatch, number, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), half=True)
            try:
                log.commit([record(4)], NOW)
                failed = False
            except OSError:
                pass
        if failed:
            log.repair()
            log.commit([record(4)], NOW)
        log.close()
        require_whole(folder)
        assert ids(folder) == [f"0190-{n:04d}" for n in (1, 2, 3, 4)]


def test_a_group_costs_one_write_and_one_sync_of_each_file_but_at_a_rotation(tmp_path: Path) -> None:
    log = opened(tmp_path / "w")
    with pytest.MonkeyPatch.context() as monkeypatch:
        calls = stop_at(monkeypatch, -1, Stopped())
        log.commit([record(1), record(2)], NOW)
    log.close()
    assert calls == ["write", "fdatasync", "pwrite", "fdatasync"]


def test_a_segment_is_proven_by_its_seal_alone(tmp_path: Path) -> None:
    log = full(tmp_path / "w")
    log.commit([record(4)], Epoch(2000.0))
    log.close()
    *body, last = (tmp_path / "w" / "00000001.jsonl").read_bytes().splitlines(keepends=True)
    seal = read_record(last)
    assert isinstance(seal, SealRecord)
    assert (seal.time, seal.segment, seal.first, seal.last) == (2000.0, 1, 1, 3)
    assert seal.digest == hashlib.sha256(b"".join(body)).hexdigest()
    verify_seal("w", seal, KEYS[0])
    with pytest.raises(CheckpointInvalid):
        verify_seal("another", seal, KEYS[0])
    with pytest.raises(CheckpointInvalid):
        verify_seal("w", seal, KEYS[1])


def test_a_log_whose_segment_is_full_goes_on_with_another_key(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    full(folder).close()
    succeeded = RecordKey(SUCCESSOR, (sign_succession(KEY, KEYS[1]),))
    log = opened(folder, succeeded)
    for number in range(4, 9):
        log.commit([record(number)], NOW)
    log.close()
    require_whole(folder)
    assert len(ids(folder)) == 8


def test_files_from_before_segments_had_seals_are_followed_by_sealed_ones(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    full(folder).close()
    whole = (folder / "00000001.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "00000001.jsonl").write_bytes(b"".join(whole[:2]))
    (folder / "00000002.jsonl").write_bytes(whole[2])
    log = opened(folder)
    for number in range(4, 9):
        log.commit([record(number)], NOW)
    log.close()
    require_whole(folder)
    assert len(list(folder.glob("*.jsonl"))) == 3


def aged(folder: Path, now: float) -> RecordFolder:
    """A log whose segments are closed after 100 seconds."""
    log = RecordFolder(folder, "w", RecordKey(KEY, ()), 64_000, 100.0)
    log.take_lock()
    log.open(Epoch(now))
    return log


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.jsonl") if path.stat().st_size)


def moment(now: float) -> bytes:
    return encode_record(RedactionRecord(f"at {now}", now, "request", {}, "done"))


def test_a_segment_is_closed_when_its_first_record_is_old_enough_and_not_before(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log = aged(folder, 1000.0)
    for now in (1000.0, 1050.0, 1099.0):
        log.commit([moment(now)], Epoch(now))
    assert names(folder) == ["00000001.jsonl"]
    log.commit([moment(1100.0)], Epoch(1100.0))
    assert names(folder) == ["00000001.jsonl", "00000002.jsonl"]
    log.commit([moment(1199.0)], Epoch(1199.0))
    assert len(names(folder)) == 2
    log.close()
    require_whole(folder)


def test_a_segment_grows_old_across_restarts(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    for now in (1000.0, 1060.0, 1099.0):
        log = aged(folder, now)
        log.commit([moment(now)], Epoch(now))
        log.close()
    assert names(folder) == ["00000001.jsonl"]
    log = aged(folder, 1101.0)
    log.commit([moment(1101.0)], Epoch(1101.0))
    log.close()
    assert names(folder) == ["00000001.jsonl", "00000002.jsonl"]
    require_whole(folder)


def test_a_segment_that_another_key_begins_is_as_young_as_that(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log = aged(folder, 1000.0)
    log.commit([moment(1000.0)], Epoch(1000.0))
    log.close_when_due(Epoch(1100.0))
    assert log.renew(RecordKey(SUCCESSOR, (sign_succession(KEY, KEYS[1]),)), Epoch(1150.0))
    log.commit([moment(1151.0)], Epoch(1151.0))
    log.close()
    assert names(folder) == ["00000001.jsonl", "00000002.jsonl"]
    require_whole(folder)


def test_a_writer_that_writes_nothing_closes_its_segment_in_time_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log = aged(folder, 1000.0)
    log.close_when_due(Epoch(9000.0))
    assert names(folder) == []
    log.commit([moment(9000.0)], Epoch(9000.0))
    log.close_when_due(Epoch(9099.0))
    assert len((folder / "00000001.jsonl").read_bytes().splitlines()) == 1
    for _ in range(3):
        log.close_when_due(Epoch(9100.0))
    assert len((folder / "00000001.jsonl").read_bytes().splitlines()) == 2
    log.commit([moment(9101.0)], Epoch(9101.0))
    log.close()
    require_whole(folder)
    assert names(folder) == ["00000001.jsonl", "00000002.jsonl"]


async def test_an_idle_log_closes_its_segment_by_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.records.log._RETRY_SECONDS", 0.01)
    folder, clock, closed = tmp_path / "w", SetClock(1000.0), threading.Event()
    close_segment = RecordFolder._close_segment

    def close_and_tell(log: RecordFolder, now: Epoch) -> None:
        close_segment(log, now)
        closed.set()

    monkeypatch.setattr(RecordFolder, "_close_segment", close_and_tell)
    keys = FixedKey()
    async with FileRecordLog(folder, "w", KEY, clock, max_segment_age=100.0, renewal=keys) as log:
        await log.append(RedactionRecord("0190-0001", 1000.0, "request", {}, "done"))
        clock.moment = 1100.0
        assert await asyncio.to_thread(closed.wait, 30)
        await log.append(RedactionRecord("0190-0002", 1100.0, "request", {}, "done"))
    require_whole(folder)
    assert names(folder) == ["00000001.jsonl", "00000002.jsonl"]


class SetClock:
    """A clock that stands where it is set."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def now(self) -> Epoch:
        return Epoch(self.moment)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.moment)


class FixedKey:
    """A key that nobody replaces."""

    current = RecordKey(KEY, ())

    def renewed(self) -> RecordKey | None:
        return None


def test_the_digest_runs_along_behind_what_was_answered_for(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    log = full(folder)
    assert log._digest.digest() != hashlib.sha256((folder / "00000001.jsonl").read_bytes()).digest()
    log.digest_written()
    log.digest_written()
    assert log._digest.digest() == hashlib.sha256((folder / "00000001.jsonl").read_bytes()).digest()
    log.commit([record(4)], NOW)
    log.close()
    require_whole(folder)
