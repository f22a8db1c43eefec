"""A segment that cannot be read is left out of the index and named, what is behind it is not, and both once it can."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aegis_authz.adapters.records.browsing import RecordBrowser
from aegis_authz.adapters.records.index import RecordIndex
from aegis_authz.adapters.records.keyring import VARIABLE, FileKey, Keyring, KeyUnusable, make_key_file
from aegis_authz.adapters.records.unread import SegmentUnread
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.evidence.encryption import EncryptedSegment
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import EVERY_RECORD, RecordsUnavailable
from tests.adapters.records.test_encrypting import EVERYTHING, KEYS, encrypted, grow, names

LOCKED = "w/00000001.jsonl"


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    """A log of several segments."""
    await grow(tmp_path / "records" / "w", range(20))
    return tmp_path / "records"


@pytest.fixture
def kek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileKey:
    """The key to encrypt with, which this process has."""
    make_key_file(tmp_path / "kek")
    monkeypatch.setenv(VARIABLE, f"file:{tmp_path / 'kek'}")
    return FileKey(tmp_path / "kek")


@pytest.fixture
def index(records: Path) -> Iterator[RecordIndex]:
    with closing(RecordIndex(records, records.parent / "records.index")) as opened:
        yield opened


def whole(records: Path) -> list[StoredRecord]:
    """What an index that could always read everything finds."""
    with closing(RecordIndex(records, records.parent / "whole.index")) as index:
        index.update()
        return index.records(EVERYTHING, 100)


def gap_names(index: RecordIndex) -> list[str]:
    return [gap.name for gap in index.gaps()]


def test_what_is_behind_a_locked_segment_is_found_and_the_rest_once_there_is_a_key(
    records: Path,
    kek: FileKey,
    index: RecordIndex,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = whole(records)
    locked = encrypted(records, kek)
    last = names(records)[-1]
    monkeypatch.delenv(VARIABLE)
    with caplog.at_level(logging.WARNING):
        first, again = index.update(), index.update()
    assert first.lines > 0
    assert (again.lines, again.records) == (0, [])
    assert index.records(EVERYTHING, 100) == [record for record in expected if record.file.endswith(last)]
    assert gap_names(index) == [f"w/{number:08d}.jsonl" for number in locked]
    assert "00000001.jsonl.enc cannot be read" in index.gaps()[0].fault
    assert caplog.text.count("not all is indexed") == len(locked)

    monkeypatch.setenv(VARIABLE, f"file:{records.parent / 'kek'}")
    late = index.update()
    assert late.records == []  # they are no news
    assert late.lines > 0
    assert index.gaps() == []
    assert index.records(EVERYTHING, 100) == expected
    assert index.update() == (0, [])


def test_what_is_left_out_is_caught_up_in_pieces_while_what_is_new_goes_on(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(records)
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    index.update()
    monkeypatch.setenv(VARIABLE, f"file:{records.parent / 'kek'}")
    pieces = [index.update(6).lines]
    while pieces[-1]:
        assert pieces[-1] <= 3  # the other half is for what is new
        pieces.append(index.update(6).lines)
    assert len(pieces) > 3
    assert (index.gaps(), index.records(EVERYTHING, 100)) == ([], expected)


def test_a_segment_of_which_a_part_is_indexed_is_gone_on_with_from_there(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(records)
    index.update(3)
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    index.update()
    assert [gap.place.lines for gap in index.gaps()][:2] == [3, 0]
    monkeypatch.setenv(VARIABLE, f"file:{records.parent / 'kek'}")
    index.update()
    assert index.records(EVERYTHING, 100) == expected


def test_a_key_store_that_is_away_is_not_asked_at_each_look(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(encrypted(records, kek))
    asked: list[int] = []

    def away(_: Keyring, segment: EncryptedSegment) -> bytes:
        asked.append(segment.segment)
        raise KeyUnusable("the key store is away")

    monkeypatch.setattr(Keyring, "data_key", away)
    with closing(RecordIndex(records, records.parent / "records.index", pause=3600.0)) as index:
        for _ in range(3):
            index.update()
    assert sorted(asked) == list(range(1, count + 1))


def test_of_what_is_not_found_while_something_is_left_out_it_is_not_said_that_it_is_not_there(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    index.update()
    for sought in (index.of_decision, index.of_approval):
        with pytest.raises(SegmentUnread):
            sought("d-0", 9)
    monkeypatch.setenv(VARIABLE, f"file:{records.parent / 'kek'}")
    index.update()
    assert len(index.of_decision("d-0", 9)) == 1
    assert index.of_decision("nobody's", 9) == []


def test_a_segment_that_is_gone_is_left_out_no_more(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    index.update()
    (records / "w" / "00000001.jsonl.enc").unlink()
    index.update()
    assert gap_names(index) == [f"w/{number:08d}.jsonl" for number in locked[1:]]
    for path in (records / "w").iterdir():
        path.unlink()
    (records / "w").rmdir()
    (records / "x").mkdir()
    (records / "x" / "00000001.jsonl").write_bytes(b"")
    index.update()
    assert index.gaps() == []


def test_whoever_browses_is_told_which_segments_are_left_out(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encrypted(records, kek)
    monkeypatch.delenv(VARIABLE)
    browser = RecordBrowser(records, records.parent / "records.index", lambda: KEYS, None)
    assert browser.gaps() == ()
    browser.advance(1000)
    assert browser.gaps()[0].segment == LOCKED
    assert "cannot be read" in browser.gaps()[0].fault
    assert len(browser.page(EVERY_RECORD, (WHOLE_MESH,), None, 100).records) > 0
    caplog.clear()
    for sought in (browser.of_decision, browser.of_approval):
        with pytest.raises(RecordsUnavailable, match="segments that cannot be read may hold it"):
            sought("d-0", 9)
    assert caplog.messages == []  # reconciliation asks every five seconds, and the segment is in the log already
    shutil.rmtree(records / "w")
    assert (browser.advance(1000), browser.gaps()) == ((0, []), ())


def test_a_log_that_is_locked_to_its_end_is_not_asked_for_at_each_look_and_is_no_news_once_there_is_a_key(
    records: Path, kek: FileKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of a writer that is gone: nothing comes behind what cannot be read."""
    encrypted(records, kek)
    (records / "w" / names(records)[-1]).unlink()
    count = len(names(records))
    asked: list[int] = []
    real = Keyring.data_key

    def away(_: Keyring, segment: EncryptedSegment) -> bytes:
        asked.append(segment.segment)
        raise KeyUnusable("the key store is away")

    monkeypatch.setattr(Keyring, "data_key", away)
    path = records.parent / "records.index"
    with closing(RecordIndex(records, path, pause=3600.0)) as index:
        for _ in range(3):
            assert index.update() == (0, [])
        assert sorted(asked) == list(range(1, count + 1))
    monkeypatch.setattr(Keyring, "data_key", real)
    with closing(RecordIndex(records, path)) as index:
        late = index.update()
        assert (late.lines > 0, late.records, index.gaps()) == (True, [], [])
        assert index.update() == (0, [])
        assert index.records(EVERYTHING, 100) == whole(records) != []


def test_what_was_not_tried_yet_is_not_said_to_be_being_read(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    locked = encrypted(records, kek)
    (records / "w" / f"{locked[-1]:08d}.jsonl.enc").write_bytes(b"damaged")
    monkeypatch.delenv(VARIABLE)
    index.update()
    monkeypatch.setenv(VARIABLE, f"file:{records.parent / 'kek'}")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        while len(gaps := index.gaps()) > 1:
            assert gaps[-1].fault != ""
            index.update(4)
    assert "not all is indexed" not in caplog.text


def test_a_locked_log_that_is_gone_as_a_whole_is_left_out_no_more(
    records: Path, kek: FileKey, index: RecordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted(records, kek)
    (records / "w" / names(records)[-1]).unlink()
    monkeypatch.delenv(VARIABLE)
    index.update()
    assert index.gaps() != []
    shutil.rmtree(records / "w")
    (records / "x").mkdir()
    (records / "x" / "00000001.jsonl").write_bytes(b"")
    assert index.update() == (0, [])
    assert index.gaps() == []
