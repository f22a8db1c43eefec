"""Access logs and records, each line once, across restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.call_journal import CallJournal
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.evidence.reconciliation import Gap, ProxyEntry
from aegis_authz.evidence.search import RecordsUnavailable
from tests.support.made_records import DENIED

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@pytest.fixture
def journal(tmp_path: Path) -> CallJournal:
    (tmp_path / "records").mkdir()
    return CallJournal([tmp_path / "access.log"], tmp_path / "records", tmp_path / "reconciled.json")


def log_request(folder: Path, name: str) -> None:
    line = {"time": "2027-01-15T08:00:00.000Z", "decision_id": name, "upstream": "10.0.0.9:443"}
    with (folder / "access.log").open("a") as file:
        file.write(json.dumps(line) + "\n")


async def record(folder: Path, *names: str) -> None:
    async with FileRecordLog(folder / "records" / "authz-0", "authz-0", KEY, SystemClock()) as log:
        for name in names:
            await log.append(replace(DENIED, decision_id=name))


def requests(journal: CallJournal) -> list[str]:
    return [each.decision_id for each in journal.entries(100) if isinstance(each, ProxyEntry)]


def decisions(journal: CallJournal, most: int = 100) -> list[str]:
    return list(journal.records(most)[0].decisions)


async def test_reading_begins_where_everything_ends_and_goes_on_from_there(
    journal: CallJournal, tmp_path: Path
) -> None:
    log_request(tmp_path, "before")
    await record(tmp_path, "before")
    journal.open()
    assert (requests(journal), decisions(journal)) == ([], [])
    log_request(tmp_path, "a")
    await record(tmp_path, "a", "b")
    assert requests(journal) == ["a"]
    assert [decisions(journal, 1), decisions(journal, 1)] == [["a"], ["b"]]
    journal.close()


async def test_where_nobody_has_written_yet_all_is_read(journal: CallJournal, tmp_path: Path) -> None:
    journal.open()
    assert (requests(journal), decisions(journal)) == ([], [])
    log_request(tmp_path, "a")
    await record(tmp_path, "a")
    assert (requests(journal), decisions(journal)) == (["a"], ["a"])
    journal.close()


async def test_after_a_restart_reading_goes_on_at_the_mark_that_was_saved(journal: CallJournal, tmp_path: Path) -> None:
    journal.open()
    log_request(tmp_path, "a")
    await record(tmp_path, "a")
    assert (requests(journal), decisions(journal)) == (["a"], ["a"])
    mark = journal.mark()
    log_request(tmp_path, "b")
    await record(tmp_path, "b")
    assert (requests(journal), decisions(journal)) == (["b"], ["b"])
    journal.save(mark)
    journal.open()
    assert (requests(journal), decisions(journal)) == (["b"], ["b"])
    journal.close()


async def test_lines_before_a_segment_that_cannot_be_read_are_read_again(journal: CallJournal, tmp_path: Path) -> None:
    journal.open()
    await record(tmp_path, "a")
    damaged = tmp_path / "records" / "authz-0" / "00000009.jsonl.gz"
    damaged.write_bytes(b"no archive")
    with pytest.raises(OSError, match=r"00000009\.jsonl\.gz"):
        journal.records(100)
    damaged.unlink()
    assert decisions(journal) == ["a"]
    journal.close()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"v":1,"logs":{"a":{}},"writers":{}}', b'{"v":2}'])
def test_a_cursor_that_is_none_is_said_with_its_file(journal: CallJournal, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "reconciled.json").write_bytes(content)
    with pytest.raises(RecordsUnavailable, match=r"reconciled\.json is no cursor"):
        journal.open()


def test_a_line_that_is_none_is_a_gap(journal: CallJournal, tmp_path: Path) -> None:
    journal.open()
    (tmp_path / "access.log").write_text("nonsense\n")
    (gap,) = journal.entries(10)
    assert isinstance(gap, Gap)
    assert (gap.file, gap.line) == ("access.log", 1)
    journal.close()
