"""What the control plane anchors, on a real database; the reports of writers are scripted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.anchor_file import AnchorFile
from aegis_authz.adapters.records.files import load_anchors, verify_folder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.reporting import HeadReporter
from aegis_authz.adapters.sql.anchors import SqlRecordAnchors
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.anchoring import Anchorer
from aegis_authz.core.anchor import Head
from aegis_authz.core.record import RedactionRecord
from aegis_authz.ports.data_plane import StoreDown

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
HEAD = Head("gw-0", "authz-0", "ab" * 32, 7, "a note")


class ScriptedHeads:
    """`ports.RecordHeads` that a test holds in its hands."""

    def __init__(self) -> None:
        self.by_writer: dict[str, Head] = {}
        self.is_down = False

    async def report(self, head: Head) -> None:
        if self.is_down:
            raise StoreDown("away")
        self.by_writer[head.writer] = head

    async def heads(self) -> Sequence[Head]:
        if self.is_down:
            raise StoreDown("away")
        return list(self.by_writer.values())

    async def forget(self, heads: Sequence[Head]) -> None:
        if self.is_down:
            raise StoreDown("away")
        self.by_writer = {writer: head for writer, head in self.by_writer.items() if head not in heads}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    await database.migrate()
    yield database
    await database.close()


def anchorer(database: Database, heads: ScriptedHeads, file: Path | None = None, own: Head | None = None) -> Anchorer:
    copy = None if file is None else AnchorFile(file)
    return Anchorer(SqlRecordAnchors(database), heads, lambda: own, copy, SystemClock())


async def test_what_is_anchored_of_writers_that_are_gone_piles_up_nowhere(database: Database) -> None:
    heads = ScriptedHeads()
    await heads.report(HEAD)
    await anchorer(database, heads).look()
    assert heads.by_writer == {}
    assert [anchor.head for anchor in await SqlRecordAnchors(database).anchors(0, 10)] == [HEAD]


async def test_a_log_is_anchored_as_its_writer_reports_it_and_proven_by_the_copy(
    database: Database, tmp_path: Path
) -> None:
    heads, file, folder = ScriptedHeads(), tmp_path / "anchors.jsonl", tmp_path / "records"
    log = FileRecordLog(folder / "authz-0", "authz-0", KEY, SystemClock())
    reporter, watcher = HeadReporter(log, heads, "gw-0"), anchorer(database, heads, file)
    async with log:
        await reporter.report()
        assert heads.by_writer == {}  # there is no record yet
        for number in range(4):
            await log.append(RedactionRecord(f"0190-{number}", 1.0, "request", {}, "done"))
            await reporter.report()
            await watcher.look()
    proven = load_anchors(file, [PUBLIC])
    assert [known.seal.checkpoint.size for known in proven.seals] == [1, 2, 3, 4]
    assert all(report.is_intact for report in verify_folder(folder, [PUBLIC], anchors=proven))
    async with FileRecordLog(folder / "authz-0", "authz-0", KEY, SystemClock()) as again:
        head = again.head("gw-0")
        assert [head] == await SqlRecordAnchors(database).newest()


async def test_the_control_planes_own_log_is_anchored_while_no_writer_can_be_asked(database: Database) -> None:
    heads = ScriptedHeads()
    heads.is_down = True
    await anchorer(database, heads, own=replace(HEAD, writer="control")).look()
    assert [anchor.head.writer for anchor in await SqlRecordAnchors(database).anchors(0, 9)] == ["control"]


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (replace(HEAD, size=6), "the log of authz-0 of gw-0 went back behind where it was anchored"),
        (replace(HEAD, note="another"), "the log of authz-0 of gw-0 went back behind where it was anchored"),
        (replace(HEAD, first="cd" * 32), "authz-0 of gw-0 writes another log than the one that was anchored"),
    ],
)
async def test_a_log_that_went_back_or_was_replaced_is_an_error_at_once(
    database: Database, caplog: pytest.LogCaptureFixture, head: Head, words: str
) -> None:
    heads = ScriptedHeads()
    watcher = anchorer(database, heads)
    for each in (HEAD, head):
        await heads.report(each)
        await watcher.look()
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [words]


async def test_a_database_that_was_rolled_back_behind_the_copy_is_an_error(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heads, file = ScriptedHeads(), tmp_path / "anchors.jsonl"
    await heads.report(HEAD)
    await anchorer(database, heads, file).look()
    other = Database(f"sqlite:///{tmp_path / 'old.db'}")
    await other.migrate()
    await heads.report(replace(HEAD, size=9))
    await anchorer(other, heads, file).look()
    await other.close()
    assert "the database does not hold anchor 1 as the copy does" in caplog.text
    assert file.read_bytes().count(b"\n") == 1


async def test_a_line_that_a_crash_cut_off_is_written_again(database: Database, tmp_path: Path) -> None:
    heads, file = ScriptedHeads(), tmp_path / "anchors.jsonl"
    for size in (7, 8):
        await heads.report(replace(HEAD, size=size))
        await anchorer(database, heads, file).look()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    await anchorer(database, heads, file).look()
    assert file.read_bytes() == whole


async def test_a_copy_that_ends_in_what_is_no_line_is_left_as_it_is(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heads, file = ScriptedHeads(), tmp_path / "anchors.jsonl"
    await heads.report(HEAD)
    await anchorer(database, heads, file).look()
    damaged = file.read_bytes() + bytes(20_000)  # as a disk may leave a file behind that was growing
    file.write_bytes(damaged)
    await anchorer(database, heads, file).look()
    assert "its end is no line" in caplog.text
    assert file.read_bytes() == damaged


async def test_a_writer_reports_again_once_the_store_is_back_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    heads = ScriptedHeads()
    heads.is_down = True

    class Standing:
        def head(self, place: str) -> Head:
            return replace(HEAD, place=place)

    reporter = HeadReporter(Standing(), heads, "gw-9")
    await reporter.report()
    await reporter.report()
    assert caplog.text.count("cannot be reported") == 1
    heads.is_down = False
    watch = asyncio.create_task(reporter.watch())
    while not heads.by_writer:
        await asyncio.sleep(0)
    watch.cancel()
    assert heads.by_writer["authz-0"].place == "gw-9"
