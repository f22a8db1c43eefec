from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.files import verify_folder
from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.records.roster import roster_file
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = [STRANGER.public_key().public_bytes_raw(), PUBLIC]


async def grow(folder: Path, numbers: range) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock()) as log:
        for number in numbers:
            await log.append(RedactionRecord(f"0190-{number:04d}", float(number), "request", {"x": number}, "done"))


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    folder = tmp_path / "mesh" / "records"
    await grow(folder / "authz-0", range(3))
    await grow(folder / "authz-1", range(3))
    return folder


def damages(records: Path, keys: list[bytes] = KEYS) -> list[str]:
    return [damage.sentence() for report in verify_folder(records, keys) for damage in report.damages]


@pytest.mark.parametrize("gone", ["authz-0", "authz-1"])
def test_a_log_that_is_gone_with_its_folder_is_missed(records: Path, gone: str) -> None:
    shutil.rmtree(records / gone)
    assert damages(records) == [f"{gone}: the whole log is missing; the roster of writers names it"]


def test_all_logs_that_are_gone_are_missed(records: Path) -> None:
    for gone in ("authz-0", "authz-1"):
        shutil.rmtree(records / gone)
    assert len(damages(records)) == 2


async def test_a_log_that_is_gone_stays_missed_when_others_start_again(records: Path) -> None:
    shutil.rmtree(records / "authz-1")
    await grow(records / "authz-0", range(20, 22))
    assert damages(records) == ["authz-1: the whole log is missing; the roster of writers names it"]


async def test_no_new_log_begins_in_place_of_one_that_is_gone(records: Path) -> None:
    shutil.rmtree(records / "authz-1")
    with pytest.raises(LogAltered, match="the log of authz-1 is gone"):
        await grow(records / "authz-1", range(1))
    assert damages(records) == ["authz-1: the whole log is missing; the roster of writers names it"]


def test_a_roster_that_is_gone_is_missed(records: Path) -> None:
    roster_file(records, PUBLIC).unlink()
    (damage,) = damages(records)
    assert "the roster of writers is missing" in damage


@pytest.mark.parametrize(
    "spoil", [lambda note: note.replace(b"authz-1\n", b""), lambda note: b"", lambda note: note[1:]]
)
def test_a_roster_that_was_changed_is_seen_and_no_writer_starts_beside_it(
    records: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path = roster_file(records, PUBLIC)
    path.write_bytes(spoil(path.read_bytes()))
    (damage,) = damages(records)
    assert "the roster of writers cannot be trusted" in damage
    with pytest.raises(LogAltered, match="roster"):
        asyncio.run(grow(records / "authz-1", range(1)))


async def test_an_older_roster_is_seen_while_the_log_it_lacks_is_there(records: Path) -> None:
    path = roster_file(records, PUBLIC)
    before = path.read_bytes()
    await grow(records / "authz-2", range(2))
    path.write_bytes(before)
    assert damages(records) == [f"{path.name}: the roster of writers lacks authz-2: it was rolled back"]


async def test_a_roster_made_anew_says_that_it_was(records: Path) -> None:
    roster_file(records, PUBLIC).unlink()
    for writer in ("authz-0", "authz-1"):
        await grow(records / writer, range(20, 21))
    reports = verify_folder(records, KEYS)
    assert all(report.is_intact for report in reports)
    assert "was made anew" in reports[0].notes[0]


async def test_a_start_with_a_new_key_that_fails_leaves_honest_logs_honest(records: Path) -> None:
    new = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
    with pytest.raises(LogAltered, match="another key"):
        await FileRecordLog(records / "authz-0", "authz-0", new, SystemClock()).start()
    new_public = new.public_key().public_bytes_raw()
    assert damages(records, [new_public, PUBLIC]) == []
    reports = verify_folder(records, [new_public])
    assert [(report.is_intact, report.is_foreign) for report in reports] == [(False, True)] * 2


def test_a_log_of_another_key_that_was_altered_is_altered(records: Path) -> None:
    path = next(iter(sorted((records / "authz-0").glob("*.jsonl"))))
    path.write_bytes(path.read_bytes().replace(b"done", b"gone", 1))
    assert not verify_folder(records, [KEYS[0]])[0].is_foreign


@pytest.mark.parametrize("step", ["first note", "second note", "lines", "roster"])
def test_a_writer_that_died_as_it_began_is_no_tampering(
    records: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {"first note": 1, "second note": 2, "lines": 2, "roster": 2}
    written = 0

    def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
        nonlocal written
        written += 1
        if written > steps[step]:
            raise OSError("died")
        durable_replace(path, content, mode)

    durable_replace = durable.replace
    monkeypatch.setattr(durable, "replace", replace)
    if step == "lines":
        monkeypatch.setattr(RecordFolder, "_open_files", _die)
    with pytest.raises(OSError, match="died"):
        asyncio.run(grow(records / "authz-2", range(1)))
    monkeypatch.undo()
    assert damages(records) == []
    asyncio.run(grow(records / "authz-2", range(1)))
    assert damages(records) == []


def _die(*_: object) -> None:
    raise OSError("died")
