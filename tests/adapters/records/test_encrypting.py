"""Sealed segments are encrypted: with the key everything reads as before, without it order and hashes are proven."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.cursor import lines_behind
from aegis_authz.adapters.records.encrypted import EncryptedFile
from aegis_authz.adapters.records.encrypting import EncryptionRefused, encrypt_log, rewrap_log
from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.index import RecordIndex
from aegis_authz.adapters.records.keyring import (
    VARIABLE,
    FileKey,
    Keyring,
    KeyUnusable,
    keyring_of,
    make_key_file,
)
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.neighbourhood import position_of
from aegis_authz.adapters.records.proving import prove_log
from aegis_authz.adapters.records.recovery import SLOTS
from aegis_authz.adapters.records.retention import log_plan, retire
from aegis_authz.adapters.records.segments import decrypted, segments
from aegis_authz.adapters.records.unread import SegmentUnread
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.pages.decisions import decisions_list
from aegis_authz.control.pages.record_rows import record_rows
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import read_link
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint
from aegis_authz.evidence.encryption import EncryptedSegment, sign_encryption
from aegis_authz.evidence.position import Standing
from aegis_authz.evidence.query import IndexQuery
from aegis_authz.evidence.retention import RetentionRule
from aegis_authz.evidence.search import EVERY_RECORD
from tests.support.exported_records import payment

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEYS = [KEY.public_key().public_bytes_raw()]
EVERYTHING = IndexQuery("", "", "", "", 0.0, float("inf"))


async def grow(folder: Path, numbers: range) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=8000) as log:
        for number in numbers:
            await log.append(payment(number))


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    """A log of several segments, of which the first is compressed."""
    await grow(tmp_path / "records" / "w", range(8))
    assert list(compress_log(tmp_path / "records" / "w"))
    await grow(tmp_path / "records" / "w", range(8, 20))
    return tmp_path / "records"


@pytest.fixture
def kek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileKey:
    """The key to encrypt with, which this process has."""
    make_key_file(tmp_path / "kek")
    monkeypatch.setenv(VARIABLE, f"file:{tmp_path / 'kek'}")
    return FileKey(tmp_path / "kek")


def encrypted(records: Path, kek: FileKey) -> list[int]:
    return [done.segment for done in encrypt_log(records / "w", KEYS, kek, KEY)]


def names(records: Path) -> list[str]:
    return sorted(path.name for path in (records / "w").glob("0*"))


def everything(records: Path) -> list[object]:
    """What each reader makes of the folder."""
    (log,) = log_files(records)
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        index.update()
        found = index.records(EVERYTHING, 100)
    lines = [list(log.oldest_first()), list(log.newest_first())[::-1], list(lines_behind(records, {}))]
    return [*lines, found, verify_folder(records, KEYS), prove_log(records / "w", KEYS, "d-3").lines]


def test_with_the_key_all_readers_see_what_they_saw(records: Path, kek: FileKey) -> None:
    before = everything(records)
    last = names(records)[-1]

    assert encrypted(records, kek) == [int(name[:8]) for name in names(records)[:-1]]
    assert all(name.endswith(".enc") for name in names(records)[:-1])
    assert names(records)[-1] == last
    assert everything(records) == before
    (records.parent / "records.index").unlink()
    assert everything(records) == before
    assert encrypted(records, kek) == []


def test_nothing_of_a_call_is_in_the_file(records: Path, kek: FileKey) -> None:
    (log,) = log_files(records)
    first = next(log.oldest_first()).raw
    encrypted(records, kek)
    content = (records / "w" / "00000001.jsonl.enc").read_bytes()
    assert b"d-0" in first
    for word in (b"d-0", b"stripe", b'"agent"', b"finance"):
        assert word not in content
    assert (records / "w" / "00000001.jsonl.enc").stat().st_mode & 0o777 == 0o600


async def test_a_writer_goes_on_behind_what_is_encrypted(records: Path, kek: FileKey) -> None:
    encrypted(records, kek)
    await grow(records / "w", range(20, 24))
    (report,) = verify_folder(records, KEYS)
    assert report.is_intact


def test_without_the_key_order_and_hashes_are_proven(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = verify_folder(records, KEYS)
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)

    (report,) = verify_folder(records, KEYS)

    assert report.is_intact
    assert (report.records, report.sealed, report.head) == (whole.records, whole.sealed, whole.head)
    assert "encrypted segments were not opened" in report.notes[0]
    assert "00000001.jsonl.enc cannot be read" in report.notes[0]
    assert kek.name in report.notes[0]


def test_without_the_key_the_rest_is_read_and_the_files_are_named(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    everything(records)  # the index was made before
    count = len(encrypted(records, kek))
    monkeypatch.delenv(VARIABLE)
    (log,) = log_files(records)
    open_lines = (records / "w" / names(records)[-1]).read_bytes().count(b"\n")

    for read in (log.oldest_first, log.newest_first):
        lines = []
        with pytest.raises(SegmentUnread) as fault:
            lines.extend(read())  # what can be read comes first
        assert all(f"{number:08d}.jsonl.enc" in str(fault.value) for number in range(1, count + 1))
        lines = []
        with pytest.raises(SegmentUnread):
            for line in read():
                lines.append(line)
        assert len(lines) == open_lines
    with closing(RecordIndex(records, records.parent / "records.index")) as index, caplog.at_level(logging.WARNING):
        index.update()
        assert 0 < len(index.records(EVERYTHING, 100)) <= open_lines
    assert "00000001.jsonl.enc cannot be read" in caplog.text


def test_without_the_key_a_page_shows_the_rest_and_says_what_it_cannot_read(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(records)  # the index was made before
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        whole = index.page(EVERY_RECORD, (WHOLE_MESH,), None, 100, 2.0)
        encrypted(records, kek)
        monkeypatch.delenv(VARIABLE)
        index.update()
        page = index.page(EVERY_RECORD, (WHOLE_MESH,), None, 100, 2.0)
        assert [record.place for record in page.records] == [record.place for record in whole.records]
        assert page.records[0] == whole.records[0]
        assert page.records[-1].stored.record is None
        assert "00000001.jsonl.enc cannot be read" in page.records[-1].stored.fault
        rows = record_rows(page.records)
        assert len(rows) == len(page.records)
        assert rows[-1]["call"] == "records/w/00000001.jsonl line 1 cannot be read here"
        assert "unread" in decisions_list(page.records, 0, is_filtered=False)

        last = whole.records[0].stored.record
        assert isinstance(last, DecisionRecord)
        assert len(index.of_decision(last.decision_id, 9)) == 1
        assert index.of_decision("nobody's", 9) == []
        with pytest.raises(SegmentUnread):  # it is there, so "not there" would be wrong
            index.of_decision("d-0", 9)


def test_a_key_store_that_is_away_is_asked_once_for_each_segment_of_a_page(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(records)
    count = len(encrypted(records, kek))
    asked: list[int] = []

    def away(_: Keyring, segment: EncryptedSegment) -> bytes:
        asked.append(segment.segment)
        raise KeyUnusable("the key store is away")

    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        monkeypatch.setattr(Keyring, "data_key", away)
        index.page(EVERY_RECORD, (WHOLE_MESH,), None, 100, 2.0)
    assert sorted(asked) == list(range(1, count + 1))


async def test_one_damaged_segment_keeps_neither_another_log_nor_its_own_from_the_index(
    records: Path, kek: FileKey
) -> None:
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        index.update(4)
        encrypted(records, kek)
        (records / "w" / "00000001.jsonl.enc").write_bytes(b"damaged")
        await grow(records / "x", range(3))
        added = [record.place for record in index.update().records]
        assert [place.line for place in added if place.writer == "x"] == [1, 2, 3]
        assert {place.file for place in added if place.writer == "w"} == {name[:14] for name in names(records)[1:]}
        assert [gap.name for gap in index.gaps()] == ["w/00000001.jsonl"]


def test_the_first_record_behind_an_encrypted_segment_has_its_place_without_the_key(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(records)
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        page = index.page(EVERY_RECORD, (WHOLE_MESH,), None, 100, 2.0)
    (first,) = [record for record in page.records if record.offset == 0 and record.stored.record is not None]
    assert position_of(records, first, KEYS).standing is Standing.PROVEN


def test_without_the_key_what_was_delivered_is_known(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = list(lines_behind(records, {}))
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    open_file = names(records)[-1]
    last_encrypted = [each for each in placed if each.place.file < open_file][-1]
    assert len(list(lines_behind(records, {"w": last_encrypted.place}))) == len(
        [each for each in placed if each.place.file == open_file]
    )
    with pytest.raises(SegmentUnread, match=r"00000001\.jsonl\.enc"):
        list(lines_behind(records, {"w": placed[0].place}))


@pytest.mark.parametrize("step", [19, pytest.param(1, marks=pytest.mark.slow)])
def test_every_flipped_byte_is_found_with_and_without_the_key(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    content = path.read_bytes()
    file = EncryptedFile.at(path)
    assert file.require_signed(KEYS) == KEYS[0]
    for at in range(0, len(content), step):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        try:
            signer = EncryptedFile.at(path).require_signed(KEYS)
        except SegmentUnread as fault:
            assert str(path) in str(fault)
        else:
            assert signer is None  # the name of the key is another: that of a stranger
    for at in (*range(0, len(content), len(content) // 10), len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        for key in (kek_of(records), ""):
            monkeypatch.setenv(VARIABLE, key)
            (report,) = verify_folder(records, KEYS)
            assert not report.is_intact, at
            assert report.damages[0].file == "records/w/00000001.jsonl"


def kek_of(records: Path) -> str:
    return f"file:{records.parent / 'kek'}"


@pytest.mark.parametrize("change", [b"", b"x"])
def test_a_file_that_is_cut_or_longer_is_found(records: Path, kek: FileKey, change: bytes) -> None:
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    (report,) = verify_folder(records, KEYS)
    assert "bodies are not those that were signed" in report.damages[0].what


def test_segments_cannot_stand_for_one_another(records: Path, kek: FileKey) -> None:
    encrypted(records, kek)
    first, second = records / "w" / "00000001.jsonl.enc", records / "w" / "00000002.jsonl.enc"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    (report,) = verify_folder(records, KEYS)
    assert "it is segment 2 of w, encrypted" in report.damages[0].what


def test_frames_and_wrapped_keys_are_bound_to_their_place(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can sign and has not the key exchanges bodies: the signature holds, the lines do not open."""
    encrypted(records, kek)
    one, other = (EncryptedFile.at(records / "w" / f"0000000{number}.jsonl.enc") for number in (1, 2))
    theirs = other.content
    names_of = ("body_size", "body_digest", "wrapped", "size")
    forged = replace(one.content, **{name: getattr(theirs, name) for name in names_of})
    durable.replace(one.path, sign_encryption(forged, KEY) + one.index() + other.bodies())
    (report,) = verify_folder(records, KEYS)
    assert "does not open its data key" in report.damages[0].what
    monkeypatch.delenv(VARIABLE)
    assert verify_folder(records, KEYS)[0].is_intact  # what is signed is as it was signed


def test_what_is_not_as_it_was_sealed_is_not_signed(records: Path, kek: FileKey) -> None:
    path = records / "w" / "00000002.jsonl"
    content = path.read_bytes()
    for bad in (content.replace(b"d-", b"e-", 1), content[: content.rfind(b"\n", 0, -1) + 1]):
        path.write_bytes(bad)
        if b'"kind":"seal"' in bad:
            with pytest.raises(EncryptionRefused, match=r"00000002\.jsonl stays as it is"):
                encrypted(records, kek)
        else:
            assert 2 not in encrypted(records, kek)
        assert path.read_bytes() == bad


def test_a_machine_that_stopped_halfway_is_made_good(records: Path, kek: FileKey) -> None:
    before = {path.name: path.read_bytes() for path in (records / "w").glob("0*")}
    encrypted(records, kek)
    for name in ("00000001.jsonl.gz", "00000002.jsonl"):
        (records / "w" / name).write_bytes(before[name])
    (records / "w" / "00000001.jsonl.enc").write_bytes(b"half")
    assert verify_folder(records, KEYS)[0].is_intact
    assert encrypted(records, kek) == [1, 2]
    assert verify_folder(records, KEYS)[0].is_intact
    assert not (records / "w" / "00000001.jsonl.gz").exists()


def test_another_key_wraps_and_the_bodies_stay(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = everything(records)
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    bodies = EncryptedFile.at(path).bodies()
    make_key_file(tmp_path / "next")
    ring = keyring_of({VARIABLE: f"file:{tmp_path / 'next'},file:{tmp_path / 'kek'}"})

    assert len(list(rewrap_log(records / "w", KEYS, ring, KEY))) == len(names(records)) - 1
    assert list(rewrap_log(records / "w", KEYS, ring, KEY)) == []

    assert EncryptedFile.at(path).bodies() == bodies
    monkeypatch.setenv(VARIABLE, f"file:{tmp_path / 'next'}")
    assert everything(records) == before
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SegmentUnread):
        list(rewrap_log(records / "w", KEYS, keyring_of({VARIABLE: kek_of(records)}), KEY))


def test_what_is_encrypted_is_retired_by_who_has_the_key(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(records, kek)
    plan = log_plan(records / "w", KEYS, RetentionRule(1e12, None), 1_000_000)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SegmentUnread):
        retire(records / "w", KEYS, plan, KEY, Epoch(2000.0))
    monkeypatch.setenv(VARIABLE, kek_of(records))
    retire(records / "w", KEYS, plan, KEY, Epoch(2000.0))
    assert len(names(records)) == 1
    assert verify_folder(records, KEYS)[0].is_intact


async def test_a_writer_that_was_stopped_before_it_sealed_what_is_behind_a_segment_goes_on(
    records: Path, kek: FileKey
) -> None:
    """The last checkpoint covers the seal of segment 2, and no record of segment 3 yet."""
    log = records / "w"
    seal = read_link((log / "00000002.jsonl").read_bytes().splitlines(keepends=True)[-1])
    for slot in SLOTS:
        (log / slot).write_bytes(sign_checkpoint(Checkpoint("w", seal.seq, seal.computed), KEY, KEYS[0]))
    for segment in segments(log)[3:]:
        segment.remove()

    assert encrypted(records, kek) == [1]
    await grow(log, range(20, 24))
    (report,) = verify_folder(records, KEYS)
    assert report.is_intact


class LongNamedKey:
    """A key whose name, and so the head of a file, is longer than that of a file's key."""

    name = "vault:transit/records-of-the-whole-company"

    def __init__(self, key: FileKey) -> None:
        self.wrap, self.unwrap = key.wrap, key.unwrap


def test_a_key_that_is_replaced_while_a_file_is_read_is_no_damage(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    before, data_key = EncryptedFile.at(path), keyring_of(os.environ).data_key(EncryptedFile.at(path).content)
    index, bodies = before.index(), before.bodies()
    with decrypted(path, data_key) as file:
        lines = file.read()

    assert list(rewrap_log(records / "w", KEYS, Keyring([LongNamedKey(kek), kek]), KEY))

    assert EncryptedFile.at(path).head.length > before.head.length
    assert (before.index(), before.bodies(), before.require_signed(KEYS)) == (index, bodies, KEYS[0])
    with gzip.GzipFile(fileobj=before.open(data_key)) as file:
        assert file.read() == lines


@pytest.mark.parametrize("index", [b"no hash\n", b"", b"\xff\n", b"{}\n"])
def test_a_file_that_somebody_else_made_up_is_damage(records: Path, kek: FileKey, index: bytes) -> None:
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    content = replace(
        EncryptedFile.at(path).content, index_size=len(index), index_digest=hashlib.sha256(index).hexdigest()
    )
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    path.write_bytes(sign_encryption(content, stranger) + index + EncryptedFile.at(path).bodies())
    (report,) = verify_folder(records, KEYS)
    assert not report.is_intact


def test_a_made_up_size_of_an_index_takes_no_memory(records: Path, kek: FileKey) -> None:
    encrypted(records, kek)
    path = records / "w" / "00000001.jsonl.enc"
    file = EncryptedFile.at(path)
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    head = sign_encryption(replace(file.content, index_size=10**17), stranger)
    path.write_bytes(head + file.index() + file.bodies())
    (report,) = verify_folder(records, KEYS)
    assert not report.is_intact


@pytest.mark.parametrize("is_retired", [True, False])
def test_what_a_compression_that_was_stopped_left_goes_with_the_clear_lines(
    records: Path, kek: FileKey, is_retired: bool
) -> None:
    left = records / "w" / "00000002.jsonl.gz.tmp"
    left.write_bytes(gzip.compress((records / "w" / "00000002.jsonl").read_bytes()))
    if is_retired:
        plan = log_plan(records / "w", KEYS, RetentionRule(before=float("inf"), at_most=None), 10**6)
        retire(records / "w", KEYS, plan, KEY, Epoch(1_800_000_000.0))
    else:
        encrypted(records, kek)
    assert not left.exists()
