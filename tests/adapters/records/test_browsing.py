"""Records as pages read them: by an index of their own, which is made anew whenever it is of no use."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.browsing import RecordBrowser
from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.files import log_files, newest_notes
from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.index import IndexUpdate, RecordIndex
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.retention import log_plan, retire
from aegis_authz.adapters.records.standstill import Standstill
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.core.record import ApprovalStep
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.evidence.chain import encode_record, read_link
from aegis_authz.evidence.checkpoint import read_checkpoint
from aegis_authz.evidence.position import Standing
from aegis_authz.evidence.retention import RetentionRule
from aegis_authz.evidence.search import EVERY_RECORD, RecordsUnavailable
from tests.support.made_records import APPROVAL, DENIED, approval_step

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
RAW = KEY.public_key().public_bytes_raw()
HELD = replace(DENIED, decision_id="held", approval_id=APPROVAL)


async def write(folder: Path, names: list[str], max_file_bytes: int = 64 * 1024 * 1024) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=max_file_bytes) as log:
        for name in names:
            await log.append(replace(DENIED, decision_id=name))


@pytest.fixture
def browser(tmp_path: Path) -> RecordBrowser:
    (tmp_path / "records").mkdir()
    return RecordBrowser(tmp_path / "records", tmp_path / "records.index", lambda: [RAW], None)


def names(browser: RecordBrowser) -> list[str]:
    page = browser.page(EVERY_RECORD, [WHOLE_MESH], None, 100)
    return [each.stored.record.decision_id for each in page.records]  # type: ignore[union-attr]  # decisions


async def test_before_anything_was_written_there_is_nothing(browser: RecordBrowser) -> None:
    assert browser.advance(10) == (0, [])
    assert names(browser) == []
    assert browser.of_decision("a", 10) == []
    with pytest.raises(RecordsUnavailable, match="no such records are here"):
        browser.verify()


async def test_what_is_written_comes_once_and_is_found(browser: RecordBrowser, tmp_path: Path) -> None:
    await write(tmp_path / "records" / "authz-0", ["a", "b", "c"])
    lines, first = browser.advance(2)
    assert (lines, len(first)) == (2, 2)
    assert [browser.advance(2)[0], browser.advance(2)[0]] == [1, 0]
    assert sorted(names(browser)) == ["a", "b", "c"]


def rest(folder: Path) -> None:
    """Have all that is in it be as it is for a while: what has just changed is looked at again."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1.0, 1.0))


async def looked_at_rest(browser: RecordBrowser, folder: Path) -> None:
    """Two logs of which all is indexed, which stand still, and which the browser does not look into again."""
    for writer in ("authz-0", "authz-1"):
        await write(folder / writer, ["a"])
    rest(folder)
    assert [browser.advance(100)[0] for _ in range(2)] == [2, 0]


async def test_logs_that_stand_still_are_not_opened_again(
    browser: RecordBrowser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await looked_at_rest(browser, tmp_path / "records")

    def update(index: RecordIndex, most: int) -> IndexUpdate:
        raise AssertionError("it was looked into")

    monkeypatch.setattr(RecordIndex, "update", update)
    assert browser.advance(100) == (0, [])
    rest(tmp_path / "records" / "authz-1")
    (tmp_path / "records" / "authz-1" / "stray").touch()
    with pytest.raises(AssertionError):
        browser.advance(100)


async def test_what_comes_to_logs_that_stood_still_is_indexed_at_the_next_look(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    await looked_at_rest(browser, folder)
    await write(folder / "authz-1", ["b"])  # to a log there is
    seen = browser.advance(100)[0]
    rest(folder)
    browser.advance(100)
    await write(folder / "authz-2", ["c"])  # to a new one
    seen += browser.advance(100)[0]
    rest(folder)
    browser.advance(100)
    shutil.rmtree(folder / "authz-0")
    browser.advance(100)
    assert seen == 2
    assert sorted(names(browser)) == ["a", "b", "c"]


async def test_each_record_comes_at_the_next_look_however_fast_they_are_written(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    folder = tmp_path / "records" / "authz-0"
    async with FileRecordLog(folder, "authz-0", KEY, SystemClock(), max_file_bytes=4000) as log:
        for number in range(60):  # over many files, of which some begin in the same tick of the file system's clock
            await log.append(replace(DENIED, decision_id=f"d-{number}"))
            _, records = browser.advance(100)
            assert [each.stored.record.decision_id for each in records] == [f"d-{number}"]  # type: ignore[union-attr]  # decisions


async def test_a_rest_ends_with_what_comes_and_not_before(
    browser: RecordBrowser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "records"
    await looked_at_rest(browser, folder)
    looks, mark = 0, Standstill.mark

    def look(standstill: Standstill, now: float) -> object:
        nonlocal looks
        looks += 1
        return mark(standstill, now)

    monkeypatch.setattr(Standstill, "mark", look)
    resting = asyncio.create_task(asyncio.to_thread(browser.rest, 0.001, 3600.0))
    async with asyncio.timeout(20):
        while looks < 5:
            await asyncio.sleep(0)
    assert not resting.done()
    await write(folder / "authz-1", ["b"])
    async with asyncio.timeout(20):
        await resting
    assert browser.advance(100)[0] == 1


async def test_a_rest_ends_where_nothing_was_looked_at_when_its_time_is_over_and_once_it_is_ended(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    browser.rest(0.0, 3600.0)  # nothing was looked at yet
    await looked_at_rest(browser, tmp_path / "records")
    browser.rest(0.0, 0.0)  # its time is over
    browser.end_rest()
    browser.rest(3600.0, 3600.0)


async def test_an_index_that_was_deleted_is_made_anew_though_the_logs_stand_still(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    await looked_at_rest(browser, tmp_path / "records")
    (tmp_path / "records.index").unlink()
    assert names(browser) == []  # a reader begins it
    browser.advance(100)
    assert names(browser) == ["a", "a"]


async def test_every_record_is_proven_across_the_files_of_a_log(browser: RecordBrowser, tmp_path: Path) -> None:
    folder = tmp_path / "records" / "authz-0"
    await write(folder, [f"d-{number}" for number in range(12)], max_file_bytes=4000)
    assert len([*folder.glob("*.jsonl")]) > 2
    _, records = browser.advance(100)
    positions = [browser.position(record) for record in records]
    assert {position.standing for position in positions} == {Standing.PROVEN}
    # each file but the last ends in its seal, which is no record of a call
    assert [position.seq for position in positions] == [number for number in range(1, 16) if number % 4]


async def test_a_record_that_was_altered_is_not_shown_and_its_neighbours_are_broken(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    await write(tmp_path / "records" / "authz-0", ["a", "b", "c"])
    _, (first, _, third) = browser.advance(100)
    file = tmp_path / "records" / "authz-0" / "00000001.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"decision_id":"b"', b'"decision_id":"x"'))
    assert [browser.position(each).standing for each in (first, third)] == [Standing.BROKEN] * 2
    with pytest.raises(RecordsUnavailable, match="made anew"):
        browser.of_decision("b", 10)
    browser.advance(100)
    assert browser.of_decision("b", 10) == []
    (altered,) = browser.of_decision("x", 10)
    assert browser.position(altered).words == "its bytes do not match its hash"
    assert [report.is_intact for report in browser.verify()] == [False]


async def test_an_index_that_is_none_is_made_anew(browser: RecordBrowser, tmp_path: Path) -> None:
    await write(tmp_path / "records" / "authz-0", ["a"])
    (tmp_path / "records.index").write_bytes(b"no database" * 200)
    with pytest.raises(RecordsUnavailable, match="made anew"):
        browser.advance(10)
    assert browser.advance(10)[0] == 1
    assert names(browser) == ["a"]


async def test_an_index_that_can_be_neither_used_nor_removed_is_a_fault_that_is_told(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    await write(tmp_path / "records" / "authz-0", ["a"])
    (tmp_path / "records.index").mkdir()
    for _ in range(3):
        with pytest.raises(RecordsUnavailable):
            browser.advance(10)


async def test_a_record_that_holds_half_of_a_surrogate_pair_is_indexed_as_others_are(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    await write(tmp_path / "records" / "authz-0", ["a", "b\ud800", "c"])
    assert browser.advance(10)[0] == 3
    assert sorted(names(browser)) == ["a", "b\ud800", "c"]
    assert len(browser.of_decision("b\\ud800", 10)) == 1


async def test_the_steps_of_an_approval_are_found(browser: RecordBrowser, tmp_path: Path) -> None:
    folder = tmp_path / "records" / "authz-0"
    async with FileRecordLog(folder, "authz-0", KEY, SystemClock()) as log:
        await log.append(HELD)
        await log.append(approval_step(HELD, ApprovalStep.APPROVED, 3.0, "ann"))
    browser.advance(10)
    assert len(browser.of_approval(APPROVAL, 10)) == 2


async def test_a_log_that_is_gone_has_no_positions(browser: RecordBrowser, tmp_path: Path) -> None:
    await write(tmp_path / "records" / "authz-0", ["a"])
    await write(tmp_path / "records" / "authz-1", ["b"])
    _, (first, _) = browser.advance(10)
    shutil.rmtree(tmp_path / "records" / "authz-0")
    with pytest.raises(RecordsUnavailable):
        browser.position(first)
    assert [report.is_intact for report in browser.verify()] == [True, False]


async def test_without_keys_nothing_is_proven_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def no_keys() -> list[bytes]:
        raise RecordKeyError("keys/records.pub.json: not a public key")

    await write(tmp_path / "records" / "authz-0", ["a"])
    browser = RecordBrowser(tmp_path / "records", tmp_path / "records.index", no_keys, None)
    with pytest.raises(RecordsUnavailable, match="the control plane's log says more"):
        browser.verify()
    assert "not a public key" in caplog.text


def anchored(tmp_path: Path, **places: str) -> Path:
    """A file of anchors of these logs of `records`, each at a place."""
    number, previous, lines = 0, FIRST_PREVIOUS, b""
    notes = newest_notes(tmp_path / "records", [RAW])
    for writer, place in places.items():
        name = writer.replace("_", "-")
        first = next(log for log in log_files(tmp_path / "records") if log.folder.name == name)
        note = notes[name]
        size = read_checkpoint(note, RAW).size
        head = Head(place, name, read_link(next(first.oldest_first()).raw).computed.hex(), size, note.decode())
        made = Anchor.after(number, previous, Epoch(1000.0), head)
        number, previous, lines = made.number, made.hash, lines + encode_anchor(made)
    (tmp_path / "anchors.jsonl").write_bytes(lines)
    return tmp_path / "anchors.jsonl"


async def test_logs_of_other_machines_are_named_and_are_no_damage(tmp_path: Path) -> None:
    records = tmp_path / "records"
    for name in ("authz-0", "authz-1", "authz-2"):
        await write(records / name, ["a"])
    anchors = anchored(tmp_path, authz_0="here", authz_1="here", authz_2="elsewhere")
    for path in (records / "authz-2", *records.glob("roster-*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    browser = RecordBrowser(records, tmp_path / "records.index", lambda: [RAW], anchors)
    reports = browser.verify()
    assert [report.writer for report in reports if "roster" not in report.writer] == ["authz-0", "authz-1"]
    assert [note for report in reports for note in report.notes] == [
        "of elsewhere no log is in this folder: those are not verified here"
    ]


async def test_a_log_that_is_gone_from_beside_others_is_damage_by_its_anchor(tmp_path: Path) -> None:
    records = tmp_path / "records"
    for name in ("authz-0", "authz-1"):
        await write(records / name, ["a"])
    anchors = anchored(tmp_path, authz_0="here", authz_1="here")
    for path in (records / "authz-1", *records.glob("roster-*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    browser = RecordBrowser(records, tmp_path / "records.index", lambda: [RAW], anchors)
    sentences = [damage.sentence() for report in browser.verify() for damage in report.damages]
    assert any("the log of here is missing" in sentence for sentence in sentences)


async def test_every_record_that_stays_is_proven_behind_a_tombstone_and_in_compressed_segments(
    browser: RecordBrowser, tmp_path: Path
) -> None:
    folder = tmp_path / "records" / "w"
    log = RecordFolder(folder, "w", RecordKey(KEY, ()), 4000)
    log.take_lock()
    log.open(Epoch(0.0))
    for number in range(20):
        record = replace(DENIED, decision_id=f"d-{number}", time=1000.0 * number)
        log.commit([encode_record(record)], Epoch(1000.0 * number))
    log.close()
    _, records = browser.advance(100)
    plan = log_plan(folder, [RAW], RetentionRule(10_000.0, None), 1_000_000)
    retire(folder, [RAW], plan, KEY, Epoch(1_800_000_000.0))
    assert [*compress_log(folder)]
    browser.advance(100)
    assert browser.of_decision("d-0", 1) == []
    page = browser.page(EVERY_RECORD, [WHOLE_MESH], None, 100)
    assert 0 < len(page.records) < len(records)
    positions = [browser.position(record) for record in page.records]
    assert {position.standing for position in positions} == {Standing.PROVEN}
    with pytest.raises(RecordsUnavailable):
        browser.position(records[0])
