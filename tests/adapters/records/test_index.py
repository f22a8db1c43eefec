from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.index import IndexStale, IndexUnusable, RecordIndex
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, DecisionRecord, Record, RedactionRecord
from aegis_authz.evidence.query import IndexQuery
from tests.support.made_records import APPROVAL, DENIED, approval_step, named

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
EVERYTHING = IndexQuery("", "", "", "", 0.0, float("inf"))
HELD = replace(DENIED, decision_id="held", time=1000.0, approval_id=APPROVAL)
EXPIRED = approval_step(HELD, ApprovalStep.EXPIRED, 500.0)


def decision(number: int, **members: object) -> DecisionRecord:
    return replace(DENIED, decision_id=f"d-{number}", time=1000.0 + number, **members)  # type: ignore[arg-type]  # as the test says


async def grow(folder: Path, records: list[Record], max_file_bytes: int = 64 * 1024 * 1024) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=max_file_bytes) as log:
        for record in records:
            await log.append(record)


@pytest.fixture
async def records(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    await grow(
        folder / "authz-0",
        [
            decision(1),
            decision(2, identity=named("clinic-agent"), effect=Effect.ALLOW, reason=Reason.ALLOWED),
            decision(3, tool="ehr", identity=None),
            RedactionRecord("d-2", 1004.0, "response", {}, "done"),
            EXPIRED,
        ],
    )
    await grow(folder / "authz-1", [decision(number) for number in range(10, 30)], 4000)
    return folder


@contextmanager
def opened(records: Path) -> Iterator[RecordIndex]:
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        yield index


def found(records: Path, query: IndexQuery = EVERYTHING, count: int = 1000) -> list[str]:
    with opened(records) as index:
        index.update()
        return [each.record.decision_id for each in index.records(query, count) if each.record is not None]  # type: ignore[union-attr]  # decisions and approvals


def test_every_decision_and_approval_is_found_oldest_first(records: Path) -> None:
    assert found(records) == ["d-1", "d-2", "d-3", *(f"d-{number}" for number in range(10, 30)), "held"]
    assert found(records, count=2) == ["d-29", "held"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (replace(EVERYTHING, agent="clinic-agent"), ["d-2"]),
        (replace(EVERYTHING, agent="acme/emea/clinic-agent"), ["d-2"]),
        (replace(EVERYTHING, agent="acme/apac/clinic-agent"), []),
        (replace(EVERYTHING, tool="ehr"), ["d-3"]),
        (replace(EVERYTHING, effect="allow"), ["d-2"]),
        (replace(EVERYTHING, approval_id=APPROVAL), ["held"]),
        (replace(EVERYTHING, since=1002.0, until=1003.0), ["d-2"]),
        (replace(EVERYTHING, agent="finance-agent", effect="deny", until=1005.0), ["d-1"]),
        (replace(EVERYTHING, tool="x' OR 1=1 --"), []),
    ],
)
def test_records_are_found_by_what_they_are_of(records: Path, query: IndexQuery, names: list[str]) -> None:
    assert found(records, query) == names


async def test_what_is_appended_is_found_without_reading_all_again(records: Path) -> None:
    before = found(records)
    await grow(records / "authz-1", [decision(50)], 4000)
    assert found(records) == [*before[:-1], "d-50", "held"]


async def test_what_a_writer_cut_off_is_not_found(records: Path) -> None:
    before = found(records)
    first, *_, last = sorted((records / "authz-1").glob("*.jsonl"))
    lines = last.read_bytes().splitlines(keepends=True)
    last.write_bytes(b"".join(lines[:-1]))
    with last.open("ab") as file:
        file.write(first.read_bytes().splitlines(keepends=True)[0])  # whatever stands there now
    assert "d-29" in before
    assert "d-29" not in found(records)


async def test_a_log_that_was_exchanged_is_indexed_from_its_beginning(records: Path) -> None:
    assert "d-12" in found(records)
    shutil.rmtree(records / "authz-1")
    for roster in records.glob("roster-*"):
        roster.unlink()
    await grow(records / "authz-1", [decision(number) for number in range(60, 90)], 4000)
    assert found(records) == ["d-1", "d-2", "d-3", *(f"d-{number}" for number in range(60, 90)), "held"]


async def test_a_log_that_was_exchanged_for_a_shorter_one_is_indexed_from_its_beginning(records: Path) -> None:
    assert found(records, replace(EVERYTHING, agent="hr-agent")) == []
    shutil.rmtree(records / "authz-1")
    for roster in records.glob("roster-*"):
        roster.unlink()
    await grow(records / "authz-1", [decision(60, identity=named("hr-agent"))])
    assert found(records, replace(EVERYTHING, agent="hr-agent")) == ["d-60"]
    assert found(records) == ["d-1", "d-2", "d-3", "d-60", "held"]


async def test_a_log_that_is_gone_is_in_the_index_no_more(records: Path) -> None:
    assert "d-12" in found(records)
    shutil.rmtree(records / "authz-1")
    assert found(records) == ["d-1", "d-2", "d-3", "held"]


async def test_a_file_of_lines_that_was_emptied_is_indexed_again(records: Path) -> None:
    assert "d-29" in found(records)
    *_, last = sorted((records / "authz-1").glob("*.jsonl"))
    last.write_bytes(b"")
    assert "d-29" not in found(records)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"tool":"ehr"', b'"tool":"ehs"'), (b"1003.0", b"1004.0"), (b'"deny"', b'"nope"')]
)
async def test_a_line_that_is_another_than_was_indexed_is_noticed(records: Path, old: bytes, new: bytes) -> None:
    assert found(records)
    path = records / "authz-0" / "00000001.jsonl"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with opened(records) as index, pytest.raises(IndexStale, match=r"records\.index is an index of other records"):
        index.update()
        index.records(EVERYTHING, 1000)


def test_a_file_that_is_no_index_is_left_as_it_is(records: Path) -> None:
    path = records.parent / "records.index"
    path.write_bytes(b"no database" * 200)
    with pytest.raises(IndexUnusable, match="--rebuild"):
        RecordIndex(records, path)
    assert path.read_bytes() == b"no database" * 200


def test_a_folder_is_no_index(records: Path) -> None:
    with pytest.raises(IndexUnusable, match="cannot be opened"):
        RecordIndex(records, records)


def test_an_index_of_another_version_is_refused(records: Path) -> None:
    path = records.parent / "records.index"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version=9")
    with pytest.raises(IndexUnusable, match="another version"):
        RecordIndex(records, path)


def test_an_index_is_for_its_user_alone_to_read(records: Path) -> None:
    found(records)
    assert stat.S_IMODE((records.parent / "records.index").stat().st_mode) == 0o600


def test_a_line_that_cannot_be_read_is_in_no_index(records: Path) -> None:
    path = records / "authz-0" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"deny"', b'"nope"', 1))
    assert "d-1" not in found(records)
