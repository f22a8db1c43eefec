from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.files import verify_folder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord
from aegis_authz.evidence.chain import encode_record, link, read_link, read_members
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
RECORDS = 6


def record(number: int) -> RedactionRecord:
    return RedactionRecord(f"0190-{number:04d}", 1000.0 + number, "request", {"us_ssn": number}, "done")


async def grow(folder: Path, numbers: range, key: Ed25519PrivateKey = KEY) -> None:
    async with FileRecordLog(folder, "w", key, SystemClock(), max_file_bytes=1000) as log:
        for number in numbers:
            await log.append(record(number))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A closed log of several files."""
    await grow(tmp_path / "w", range(1, RECORDS + 1))
    return tmp_path / "w"


def last_file(folder: Path) -> Path:
    return max(folder.glob("*.jsonl"))


def last_line(folder: Path) -> bytes:
    return last_file(folder).read_bytes().splitlines(keepends=True)[-1]


def torn_files(folder: Path) -> list[Path]:
    return list(folder.glob("*.torn"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def unsealed_line(folder: Path) -> bytes:
    last = read_link(last_line(folder))
    return link("w", last.seq + 1, last.stated, encode_record(record(99)))[0]


def calls(folder: Path) -> int:
    """How many records of calls there are; those of cuts and seals are none."""
    return sum(path.read_bytes().count(b'"kind":"redaction"') for path in folder.glob("*.jsonl"))


TAILS: dict[str, Callable[[Path], bytes]] = {
    "half a line": lambda folder: unsealed_line(folder)[:60],
    "a whole line": unsealed_line,
    "zeros": lambda folder: bytes(4096),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS.keys())
async def test_an_unsealed_tail_is_cut_off_kept_and_owned_up_to(
    folder: Path, tail: Callable[[Path], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    torn = tail(folder)
    with last_file(folder).open("ab") as file:
        file.write(torn)
    assert not verify_folder(folder, [PUBLIC])[0].is_intact
    await grow(folder, range(7, 9))
    (kept,) = torn_files(folder)
    assert kept.read_bytes() == torn
    assert "unsealed bytes were cut off" in caplog.text
    (report,) = verify_folder(folder, [PUBLIC])
    assert report.is_intact, report.damages
    assert report.cuts == (kept.name,)
    assert calls(folder) == RECORDS + 2


async def test_an_unsealed_tail_over_two_files_is_cut_off(folder: Path) -> None:
    torn = unsealed_line(folder)
    with last_file(folder).open("ab") as file:
        file.write(torn)
    (folder / "00000099.jsonl").write_bytes(b"more")
    await grow(folder, range(7, 8))
    (kept,) = torn_files(folder)
    assert kept.read_bytes() == torn + b"more"
    assert not (folder / "00000099.jsonl").exists()
    assert verify_folder(folder, [PUBLIC])[0].is_intact


async def test_an_empty_file_left_by_a_rotation_is_no_tail(folder: Path) -> None:
    (folder / "00000099.jsonl").touch()
    await grow(folder, range(7, 8))
    assert not torn_files(folder)
    assert verify_folder(folder, [PUBLIC])[0].is_intact


@pytest.mark.parametrize("slot", ["checkpoint-a.note", "checkpoint-b.note"])
@pytest.mark.parametrize("spoil", [b"", b"garbage", None], ids=["empty", "garbage", "missing"])
async def test_one_bad_slot_is_filled_again(folder: Path, slot: str, spoil: bytes | None) -> None:
    if spoil is None:
        (folder / slot).unlink()
    else:
        (folder / slot).write_bytes(spoil)
    assert not verify_folder(folder, [PUBLIC])[0].is_intact
    await grow(folder, range(7, 9))
    (report,) = verify_folder(folder, [PUBLIC])
    assert report.is_intact, report.damages
    assert calls(folder) == RECORDS + 2


def _flip_last(folder: Path) -> None:
    data = bytearray(last_file(folder).read_bytes())
    data[-200] ^= 1
    last_file(folder).write_bytes(data)


def _truncate(folder: Path) -> None:
    path = last_file(folder)
    os.truncate(path, path.stat().st_size - len(last_line(folder)))


def _cut_newline(folder: Path) -> None:
    path = last_file(folder)
    os.truncate(path, path.stat().st_size - 1)


def _remove_notes(folder: Path) -> None:
    for path in folder.glob("*.note"):
        path.unlink()


def _remove_lines(folder: Path) -> None:
    for path in folder.glob("*.jsonl"):
        path.unlink()


def _forged_note(folder: Path) -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    head = read_link(last_line(folder)).stated
    note = sign_checkpoint(
        Checkpoint("w", read_link(last_line(folder)).seq, head), stranger, stranger.public_key().public_bytes_raw()
    )
    for path in folder.glob("*.note"):
        path.write_bytes(note)


def _rewrite_last(folder: Path) -> None:
    found = read_link(last_line(folder))
    forged, _ = link("w", found.seq, found.prev, encode_record(record(77)))
    path = last_file(folder)
    path.write_bytes(path.read_bytes().replace(last_line(folder), forged))


ATTACKS = [_flip_last, _truncate, _cut_newline, _remove_notes, _remove_lines, _forged_note, _rewrite_last]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_a_log_altered_at_its_end_is_not_continued(folder: Path, attack: Callable[[Path], None]) -> None:
    attack(folder)
    before = contents(folder)
    with pytest.raises(LogAltered):
        await grow(folder, range(7, 8))
    assert contents(folder) == before
    assert not verify_folder(folder, [PUBLIC])[0].is_intact


async def test_a_log_of_another_key_is_not_continued(folder: Path) -> None:
    with pytest.raises(LogAltered, match="signed with another key"):
        await grow(folder, range(7, 8), Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))


async def test_parameters_that_look_like_a_line_do_not_mislead_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    odd = RedactionRecord("0190-0001", 1.0, "request", {"writer": 1}, '{"writer":"w","seq":1,"prev":"')
    async with FileRecordLog(folder, "w", KEY, SystemClock()) as log:
        await log.append(odd)
    await grow(folder, range(2, 4))
    (report,) = verify_folder(folder, [PUBLIC])
    assert report.is_intact, report.damages


async def test_a_start_that_died_before_its_first_record_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    await grow(folder, range(0))
    (folder / "checkpoint-b.note").unlink()
    (folder / ".checkpoint-b.note.a1b2").write_bytes(b"aegis/")
    (folder / "00000001.jsonl").unlink()
    await grow(folder, range(1, 3))
    lines = (folder / "00000001.jsonl").read_bytes().splitlines()
    assert [read_members(line)["seq"] for line in lines] == [1, 2]
    assert verify_folder(folder, [PUBLIC])[0].is_intact
