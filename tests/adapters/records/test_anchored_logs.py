"""What anchors show of logs whose folders prove nothing against it by themselves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.files import load_anchors, log_files, newest_notes, verify_folder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.evidence.chain import read_link
from aegis_authz.evidence.checkpoint import read_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


async def grow(folder: Path, numbers: range) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock()) as log:
        for number in numbers:
            await log.append(RedactionRecord(f"0190-{number:04d}", float(number), "request", {"x": number}, "done"))


def heads(records: Path) -> Iterator[Head]:
    """Where the logs of a folder stand."""
    notes = newest_notes(records, [PUBLIC])
    for log in log_files(records):
        first = read_link(next(log.oldest_first()).raw).computed.hex()
        note = notes[log.folder.name]
        yield Head("gw-0", log.folder.name, first, read_checkpoint(note, PUBLIC).size, note.decode("utf-8"))


def anchor(file: Path, records: Path) -> None:
    """Keep where the logs stand."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    number, previous = len(lines), lines[-1][-66:-2].decode() if lines else FIRST_PREVIOUS
    for head in heads(records):
        made = Anchor.after(number, previous, Epoch(1000.0), head)
        with file.open("ab") as target:
            target.write(encode_anchor(made))
        number, previous = made.number, made.hash


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    """Two logs that were anchored, have grown, and were anchored again."""
    folder = tmp_path / "records"
    for numbers in (range(3), range(3, 6)):
        for writer in ("authz-0", "authz-1"):
            await grow(folder / writer, numbers)
        if numbers.start == 0:
            shutil.copytree(folder, tmp_path / "old")
        anchor(tmp_path / "anchors.jsonl", folder)
    return folder


def damages(records: Path, places: tuple[str, ...] = ()) -> list[str]:
    anchors = load_anchors(records.parent / "anchors.jsonl", [PUBLIC]).at(places)
    reports = verify_folder(records, [PUBLIC], anchors=anchors)
    return [damage.sentence() for report in reports for damage in report.damages]


async def test_logs_as_they_were_anchored_and_those_that_have_grown_are_intact(records: Path) -> None:
    assert damages(records) == []
    await grow(records / "authz-0", range(6, 9))
    assert damages(records) == []


def test_an_old_copy_of_all_records_is_named_by_the_anchor_that_it_does_not_reach(records: Path) -> None:
    old = records.parent / "old"
    assert all(report.is_intact for report in verify_folder(old, [PUBLIC]))
    assert damages(old) == [
        f"anchor {number} of 1970-01-01T00:16:40Z: it seals 6 records, 4 to 6 missing: the log was truncated or rolled back"
        for number in (3, 4)
    ]


async def test_a_rolled_back_log_that_went_on_is_named_as_a_fork(records: Path) -> None:
    old = records.parent / "old"
    await grow(old / "authz-0", range(10, 15))
    first, _ = damages(old)
    assert first == (
        "anchor 3 of 1970-01-01T00:16:40Z: its hash of record 6 is another: the log was rewritten or forked before it"
    )


def test_a_writer_that_is_deleted_with_the_roster_is_named(records: Path) -> None:
    shutil.rmtree(records / "authz-1")
    for roster in records.glob("roster-*.note"):
        roster.unlink()
    assert (
        "anchor 4 of 1970-01-01T00:16:40Z: the log of gw-0 is missing, or another was begun in its place: "
        "it seals 6 records" in damages(records)
    )


async def test_all_records_begun_anew_are_named_by_the_anchors_of_those_before(records: Path) -> None:
    shutil.rmtree(records)
    await grow(records / "authz-0", range(100, 110))
    assert all(report.is_intact for report in verify_folder(records, [PUBLIC]))
    assert len(damages(records)) == 2


def test_a_folder_without_any_log_is_named_by_its_anchors(records: Path) -> None:
    for path in records.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert len(damages(records)) == 2


def test_anchors_of_another_place_say_nothing_of_these_logs(records: Path) -> None:
    shutil.rmtree(records / "authz-1")
    assert damages(records, ("gw-1",)) == ["authz-1: the whole log is missing; the roster of writers names it"]


def test_of_a_single_log_the_anchors_of_its_writer_alone_are_asked(records: Path) -> None:
    anchors = load_anchors(records.parent / "anchors.jsonl", [PUBLIC])
    (report,) = verify_folder(records / "authz-0", [PUBLIC], anchors=anchors)
    assert report.is_intact


def test_damaged_anchors_are_a_damage_and_the_others_are_asked_all_the_same(records: Path) -> None:
    file = records.parent / "anchors.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], b"garbage\n", *lines[2:]]))
    assert damages(records)[0].startswith("anchors: line 2 is no anchor: ")
    assert any("truncated" in words for words in damages_of(records.parent / "old", file))


def test_anchors_of_keys_that_were_not_given_prove_nothing(records: Path) -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32).public_key().public_bytes_raw()
    anchors = load_anchors(records.parent / "anchors.jsonl", [stranger])
    report = verify_folder(records, [PUBLIC], anchors=anchors)[-1]
    assert report.is_foreign
    assert report.damages[0].sentence() == (
        "anchors: other keys than those given signed what is anchored of authz-0 at gw-0, authz-1 at gw-0"
    )


def damages_of(folder: Path, file: Path) -> list[str]:
    reports = verify_folder(folder, [PUBLIC], anchors=load_anchors(file, [PUBLIC]))
    return [damage.sentence() for report in reports for damage in report.damages]
