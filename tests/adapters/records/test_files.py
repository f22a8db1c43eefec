from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    load_expected,
    log_files,
    newest_notes,
    verify_folder,
)
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = [STRANGER.public_key().public_bytes_raw(), PUBLIC]


async def grow(folder: Path, numbers: range) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=1000) as log:
        for number in numbers:
            await log.append(RedactionRecord(f"0190-{number:04d}", float(number), "request", {"x": number}, "done"))


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    """Two writers whose records alternate in time."""
    folder = tmp_path / "mesh" / "records"
    await grow(folder / "authz-0", range(0, 20, 2))
    await grow(folder / "authz-1", range(1, 21, 2))
    return folder


def test_every_log_of_a_folder_is_verified_with_whichever_key_signed_it(records: Path) -> None:
    reports = verify_folder(records, KEYS)
    lines = {log.folder.name: len(list(log.oldest_first())) for log in log_files(records)}
    assert [(report.writer, report.records, report.is_intact) for report in reports] == [
        ("authz-0", lines["authz-0"], True),
        ("authz-1", lines["authz-1"], True),
    ]


def test_one_log_can_be_verified_alone(records: Path) -> None:
    assert [report.writer for report in verify_folder(records / "authz-1", [PUBLIC])] == ["authz-1"]


def test_a_log_under_another_name_is_not_taken_for_it(records: Path) -> None:
    shutil.rmtree(records / "authz-1")
    shutil.copytree(records / "authz-0", records / "authz-1")
    assert [report.is_intact for report in verify_folder(records, [PUBLIC])] == [True, False]


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_removed_file_is_found(records: Path, which: int) -> None:
    sorted((records / "authz-0").glob("*.jsonl"))[which].unlink()
    report, _ = verify_folder(records, [PUBLIC])
    assert any("missing" in damage.what for damage in report.damages)


def test_swapped_files_are_found(records: Path) -> None:
    first, second = sorted((records / "authz-0").glob("*.jsonl"))[:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert not verify_folder(records, [PUBLIC])[0].is_intact


def test_places_are_named_from_the_records_folder_on(records: Path) -> None:
    path = sorted((records / "authz-0").glob("*.jsonl"))[1]
    path.write_bytes(path.read_bytes().replace(b"done", b"gone", 1))
    (damage,) = verify_folder(records, [PUBLIC])[0].damages
    assert damage.file == "records/authz-0/00000002.jsonl"
    assert damage.line == 1


async def test_a_rollback_is_seen_against_the_checkpoints_kept_before(records: Path, tmp_path: Path) -> None:
    shutil.copytree(records, tmp_path / "old")
    before = len(list(log_files(records)[0].oldest_first()))
    await grow(records / "authz-0", range(30, 33))
    kept = tmp_path / "kept.checkpoints"
    kept.write_bytes(b"".join(newest_notes(records, [PUBLIC]).values()))
    expected = load_expected(kept, KEYS)
    sizes = [len(list(log.oldest_first())) for log in log_files(records)]
    assert [checkpoint.size for checkpoint in expected] == sizes
    assert all(report.is_intact for report in verify_folder(records, KEYS, expected))
    assert all(report.is_intact for report in verify_folder(tmp_path / "old", KEYS))
    rolled_back, untouched = verify_folder(tmp_path / "old", KEYS, expected)
    assert f"seals {sizes[0]} records, {before + 1} to {sizes[0]} missing" in rolled_back.damages[0].what
    assert untouched.is_intact


def test_a_log_that_is_gone_is_seen_against_its_checkpoint(records: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.checkpoints"
    kept.write_bytes(b"".join(newest_notes(records, [PUBLIC]).values()))
    shutil.rmtree(records / "authz-1")
    intact, gone = verify_folder(records, [PUBLIC], load_expected(kept, [PUBLIC]))
    assert intact.is_intact
    assert (gone.writer, gone.is_intact) == ("authz-1", False)


def test_kept_checkpoints_of_another_key_are_of_no_use(records: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.checkpoints"
    kept.write_bytes(newest_notes(records, [PUBLIC])["authz-0"])
    with pytest.raises(ExpectationInvalid, match="another key"):
        load_expected(kept, KEYS[:1])


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(NoRecords, match="holds no record log"):
        verify_folder(tmp_path / "empty", [PUBLIC])
    with pytest.raises(NoRecords, match="is not a folder"):
        verify_folder(tmp_path / "nowhere", [PUBLIC])


def test_a_log_reads_the_same_from_either_end(records: Path) -> None:
    for log in log_files(records):
        assert list(log.newest_first()) == list(log.oldest_first())[::-1]
        assert sum(b'"kind":"redaction"' in line.raw for line in log.oldest_first()) == 10


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"one", b"one\n", b"one\ntwo", b"\n\n", b"a\rb\x0bc\n" * 3, b"x" * 200_000 + b"\n" + b"y" * 70_000],
    ids=["nothing", "newline", "not ended", "one", "two", "blank", "other ends", "long"],
)
def test_lines_of_any_kind_read_the_same_from_either_end(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "00000001.jsonl").write_bytes(data)
    (log,) = log_files(tmp_path)
    assert list(log.newest_first()) == list(log.oldest_first())[::-1]
