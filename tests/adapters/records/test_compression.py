"""Sealed segments are compressed, and everything reads and proves them as before."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records import compression
from aegis_authz.adapters.records.compression import NotCompressed, compress_log, segments_locked
from aegis_authz.adapters.records.cursor import ends, is_there, lines_behind
from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.folder import FolderBusy, RecordFolder
from aegis_authz.adapters.records.following import LogFollower
from aegis_authz.adapters.records.index import RecordIndex
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.neighbourhood import position_of
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import encode_record
from aegis_authz.evidence.query import IndexQuery
from tests.support.exported_records import payment

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEYS = [KEY.public_key().public_bytes_raw()]
NOW = Epoch(1000.0)
EVERYTHING = IndexQuery("", "", "", "", 0.0, float("inf"))


def log_of(folder: Path) -> FileRecordLog:
    return FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=8000)


async def grow(folder: Path, numbers: range) -> None:
    async with log_of(folder) as log:
        for number in numbers:
            await log.append(payment(number))


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    """A log of several segments."""
    await grow(tmp_path / "records" / "w", range(20))
    return tmp_path / "records"


def names(records: Path) -> list[str]:
    return sorted(path.name for path in (records / "w").glob("0*"))


def indexed(records: Path) -> list[object]:
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        index.update()
        found = index.records(EVERYTHING, 100)
        positions = [position_of(records, record, KEYS) for record in index.of_decision("d-9", 1)]
    return [*found, *positions]


def everything(records: Path) -> list[object]:
    """What each reader makes of the folder."""
    (log,) = log_files(records)
    places = {placed.writer: placed.place for placed in lines_behind(records, {}) if placed.line.number == 2}
    behind = [placed.line for placed in lines_behind(records, places)]
    return [
        list(log.oldest_first()),
        list(log.newest_first())[::-1],
        list(lines_behind(records, {})),
        behind,
        ends(records),
        verify_folder(records, KEYS),
        indexed(records),
    ]


def test_all_readers_see_the_same_before_and_after(records: Path) -> None:
    before = everything(records)
    places = [placed.place for placed in lines_behind(records, {})]
    done = list(compress_log(records / "w"))
    assert [each.segment for each in done] == list(range(1, len(done) + 1))
    assert all(each.after < each.before for each in done)
    assert names(records) == [*(f"{n:08d}.jsonl.gz" for n in range(1, len(done) + 1)), f"{len(done) + 1:08d}.jsonl"]
    assert everything(records) == before
    assert all(is_there(records / "w", place) for place in places)
    (records.parent / "records.index").unlink()
    assert everything(records) == before
    assert list(compress_log(records / "w")) == []


async def test_a_log_is_compressed_and_verified_while_it_is_written_to_and_followed(records: Path) -> None:
    follower = LogFollower(records)
    async with log_of(records / "w") as log:
        for number in range(20, 60):
            await log.append(payment(number))
            if number % 10 == 0:
                assert await asyncio.to_thread(list, compress_log(records / "w"))
        (report,) = await asyncio.to_thread(verify_folder, records, KEYS)
        assert report.is_intact, report.damages
    await grow(records / "w", range(60, 61))
    assert verify_folder(records, KEYS)[0].is_intact
    lines = b"".join(line.raw for line in follower.new_lines())
    assert [number for number in range(20, 61) if b'"d-%d"' % number not in lines] == []


def test_a_writer_goes_on_behind_a_compressed_segment_whose_next_it_cannot_answer_for(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "w"
    log = RecordFolder(folder, "w", RecordKey(KEY, ()), 8000)
    log.take_lock()
    log.open(NOW)
    log.commit([encode_record(payment(1))], NOW)
    log._close_segment(NOW)  # and the machine stops as it writes into the next
    log.release()
    (folder / "00000002.jsonl").write_bytes(b"half a line")
    assert len(list(compress_log(folder))) == 1
    log.take_lock()
    log.open(NOW)
    log.commit([encode_record(payment(2))], NOW)
    log.close()
    assert [name for name in names(folder.parent) if "torn" not in name] == ["00000001.jsonl.gz", "00000002.jsonl"]
    assert [path.read_bytes() for path in folder.glob("*.torn")] == [b"half a line"]
    (report,) = verify_folder(folder.parent, KEYS)
    assert report.is_intact, report.damages


@pytest.mark.parametrize("step", ["fsync", "replace", "unlink"])
def test_a_machine_that_stops_while_it_compresses_leaves_the_log_whole(
    records: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = verify_folder(records, KEYS)
    with monkeypatch.context() as stopping:

        def stop(*_: object, **__: object) -> None:
            raise InterruptedError

        stopping.setattr(Path if step == "unlink" else os, step, stop)
        with pytest.raises(InterruptedError):
            list(compress_log(records / "w"))
    assert verify_folder(records, KEYS) == before
    assert [each.segment for each in compress_log(records / "w")][:1] == [1]
    assert verify_folder(records, KEYS) == before
    assert not list((records / "w").glob("*.tmp"))


def test_what_does_not_expand_to_the_same_is_not_taken(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(records)
    monkeypatch.setattr(compression, "expanded", lambda _: (records / "w" / before[-1]).open("rb"))
    with pytest.raises(NotCompressed, match="stays as it is"):
        list(compress_log(records / "w"))
    assert names(records) == before


def test_a_damaged_segment_is_named_and_the_rest_still_read(records: Path) -> None:
    list(compress_log(records / "w"))
    path = records / "w" / "00000002.jsonl.gz"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1  # of the checksum: all lines are there, and are not to be trusted
    path.write_bytes(content)
    (report,) = verify_folder(records, KEYS)
    assert report.damages[0].file == "records/w/00000002.jsonl"
    assert report.last_time == payment(19).time
    assert "00000002.jsonl.gz cannot be expanded" in report.damages[0].what


def test_what_stands_in_for_a_compressed_segment_is_held_to_its_seal(records: Path) -> None:
    list(compress_log(records / "w"))
    (records / "w" / "00000002.jsonl.gz").write_bytes((records / "w" / "00000001.jsonl.gz").read_bytes())
    assert not verify_folder(records, KEYS)[0].is_intact


def test_the_open_segment_and_those_without_a_seal_are_left(records: Path) -> None:
    first = records / "w" / "00000001.jsonl"
    last = len(names(records)) - 1
    first.write_bytes(b"".join(first.read_bytes().splitlines(keepends=True)[:-1]))
    assert [each.segment for each in compress_log(records / "w")] == list(range(2, last + 1))


def test_a_damaged_segment_does_not_keep_those_behind_it_from_being_compressed(records: Path) -> None:
    next(compressions := compress_log(records / "w"))
    compressions.close()
    (records / "w" / "00000001.jsonl.gz").write_bytes(b"no gzip")
    assert [each.segment for each in compress_log(records / "w")][:2] == [2, 3]


def test_two_cannot_compress_a_log_at_a_time(records: Path) -> None:
    with segments_locked(records / "w"), pytest.raises(FolderBusy, match="another process compresses"):
        list(compress_log(records / "w"))
