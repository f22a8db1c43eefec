from __future__ import annotations

import itertools
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records import index as index_module
from aegis_authz.adapters.records.cursor import lines_behind
from aegis_authz.adapters.records.index import IndexStale, IndexUnusable, RecordIndex
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.segments import SegmentReader
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.effect import Effect
from aegis_authz.core.person import WHOLE_MESH, Domain
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, DecisionRecord, Record, RedactionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.query import IndexQuery
from aegis_authz.evidence.search import EVERY_RECORD, RecordPlace, RecordSearch, SearchTooLong
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


def test_an_index_as_they_were_before_is_stale(records: Path) -> None:
    path = records.parent / "records.index"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version=1")
    with pytest.raises(IndexStale, match="as they were before"):
        RecordIndex(records, path)


def test_an_index_is_for_its_user_alone_to_read(records: Path) -> None:
    found(records)
    assert stat.S_IMODE((records.parent / "records.index").stat().st_mode) == 0o600


def test_a_line_that_cannot_be_read_is_in_no_index(records: Path) -> None:
    path = records / "authz-0" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"deny"', b'"nope"', 1))
    assert "d-1" not in found(records)


ALL = (WHOLE_MESH,)


def seen(
    records: Path,
    search: RecordSearch = EVERY_RECORD,
    domains: tuple[Domain, ...] = ALL,
    before: RecordPlace | None = None,
    count: int = 1000,
) -> list[str]:
    """The ids of a page, newest first."""
    with opened(records) as index:
        index.update()
        page = index.page(search, domains, before, count, patience=30.0)
        return [each.stored.record.decision_id for each in page.records if each.stored.record is not None]  # type: ignore[union-attr]  # decisions and approvals


def test_pages_hold_every_decision_and_approval_newest_first_and_none_twice(records: Path) -> None:
    whole = seen(records)
    assert whole == [*reversed(found(records))]
    with opened(records) as index:
        names: list[str] = []
        before = None
        while True:
            page = index.page(EVERY_RECORD, ALL, before, 7, patience=30.0)
            names += [each.stored.record.decision_id for each in page.records]  # type: ignore[union-attr]  # as above
            if page.older is None:
                break
            before = RecordPlace.parse(str(page.older))
    assert names == whole


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (replace(EVERY_RECORD, tenant="acme/emea", until=1004.0), ["d-2", "d-1"]),
        (replace(EVERY_RECORD, tenant="acme/apac"), []),
        (replace(EVERY_RECORD, agent="clinic-agent"), ["d-2"]),
        (replace(EVERY_RECORD, agent="acme/emea/clinic-agent"), ["d-2"]),
        (replace(EVERY_RECORD, tool="ehr"), ["d-3"]),
        (replace(EVERY_RECORD, effect="allow"), ["d-2"]),
        (replace(EVERY_RECORD, reason="ALLOWED"), ["d-2"]),
        (replace(EVERY_RECORD, kind="approval"), ["held"]),
        (replace(EVERY_RECORD, approval_id=APPROVAL), ["held"]),
        (replace(EVERY_RECORD, since=1002.0, until=1003.0), ["d-2"]),
        (replace(EVERY_RECORD, tool="x' OR 1=1 --"), []),
    ],
)
def test_a_search_finds_what_it_is_of_and_accepts_nothing_else(
    records: Path, search: RecordSearch, names: list[str]
) -> None:
    assert seen(records, search) == names
    with opened(records) as index:
        every = index.page(EVERY_RECORD, ALL, None, 1000, patience=30.0).records
    assert [each.stored.record.decision_id for each in every if search.accepts(each.stored.record)] == names  # type: ignore[union-attr]  # as above


async def test_a_reader_finds_nothing_of_other_tenants_and_nothing_that_belongs_to_none(records: Path) -> None:
    globex = replace(named("clinic-agent"), scope=Scope("globex", "emea", "clinic-agent"))
    apac = replace(named("clinic-agent"), scope=Scope("acme", "apac", "clinic-agent"))
    await grow(records / "authz-2", [decision(90, identity=globex), decision(91, identity=apac)])
    assert {"d-3", "d-90", "d-91"} <= {*seen(records)}
    assert seen(records, domains=(Domain("globex", "emea"),)) == ["d-90"]
    assert seen(records, domains=(Domain("globex", "emea"), Domain("acme", "apac"))) == ["d-91", "d-90"]
    assert not {"d-3", "d-90"} & {*seen(records, domains=(Domain.parse("acme"),))}
    assert "d-91" in seen(records, domains=(Domain.parse("acme"),))
    assert seen(records, domains=()) == []
    assert seen(records, replace(EVERY_RECORD, tenant="globex/emea"), (Domain.parse("acme"),)) == []


def test_all_of_a_decision_is_found_by_its_id(records: Path) -> None:
    with opened(records) as index:
        index.update()
        kinds = [type(each.stored.record).__name__ for each in index.of_decision("d-2", 100)]
        assert kinds == ["DecisionRecord", "RedactionRecord"]
        assert len(index.of_decision("d-2", 1)) == 1
        assert [each.place.time for each in index.of_approval(APPROVAL, 100)] == [1500.0]


def test_the_bytes_of_a_line_come_with_its_record(records: Path) -> None:
    with opened(records) as index:
        index.update()
        (first, *_) = index.of_decision("d-1", 1)
    lines = (records / "authz-0" / "00000001.jsonl").read_bytes().splitlines(keepends=True)
    assert (first.raw, first.offset, first.place.line) == (lines[0], 0, 1)


def test_a_search_that_takes_too_long_is_given_up(records: Path) -> None:
    with opened(records) as index:
        index.update()
        raw = sqlite3.connect(records.parent / "records.index")
        with closing(raw), raw:
            raw.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                "INSERT INTO records SELECT writer, file, 1000 + i, offset, length, 9e9, 'approval', decision_id, approval_id, "
                "org, tenant, scope, agent, tool, effect, reason FROM records, n WHERE decision_id = 'd-1'"
            )
        with pytest.raises(SearchTooLong, match="say more"):
            index.page(replace(EVERY_RECORD, kind="decision"), ALL, None, 10, patience=1e-6)


def test_an_index_is_brought_up_to_date_in_parts(records: Path) -> None:
    with opened(records) as index:
        whole, rest = divmod(sum(1 for _ in lines_behind(records, {})), 6)  # the seals of full files among them
        parts = [index.update(6) for _ in range(whole + 1)]
        assert [part.lines for part in parts] == [*[6] * whole, rest]
        assert sum(len(part.records) for part in parts) == 25
        assert index.update(6) == (0, [])


def test_a_page_whose_time_is_up_ends_behind_a_segment_and_the_next_goes_on_there(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(records) as index:
        index.update()
        whole = index.page(EVERY_RECORD, ALL, None, 100, patience=60.0).records
        clock = itertools.count(0.0, 100.0)
        moment = [next(clock)]

        class SlowReader(SegmentReader):
            def __enter__(self) -> SegmentReader:
                moment[0] = next(clock)
                return super().__enter__()

        monkeypatch.setattr(index_module, "SegmentReader", SlowReader)
        monkeypatch.setattr(index_module, "time", SimpleNamespace(monotonic=lambda: moment[0]))
        pages = [index.page(EVERY_RECORD, ALL, None, 100, patience=60.0)]
        while pages[-1].older is not None:
            pages.append(index.page(EVERY_RECORD, ALL, pages[-1].older, 100, patience=60.0))
    assert len(pages) > 2
    assert [record for page in pages for record in page.records] == [*whole]


def test_a_log_that_is_far_behind_keeps_no_other_waiting(records: Path) -> None:
    with opened(records) as index:
        _, added = index.update(4)
    assert {record.place.writer for record in added} == {"authz-0", "authz-1"}


@pytest.mark.parametrize(
    ("search", "domains"),
    [
        (EVERY_RECORD, ALL),
        (EVERY_RECORD, (Domain("acme", "emea"),)),
        (EVERY_RECORD, (Domain("acme", "emea"), Domain("acme", "apac"))),
        (replace(EVERY_RECORD, tool="ehr"), ALL),
        (replace(EVERY_RECORD, kind="approval"), ALL),
        (replace(EVERY_RECORD, reason="ALLOWED"), ALL),
        (replace(EVERY_RECORD, approval_id=APPROVAL), ALL),
    ],
)
def test_no_search_reads_the_whole_table_or_sorts_all_it_finds(
    records: Path, search: RecordSearch, domains: tuple[Domain, ...]
) -> None:
    with opened(records) as index:
        index.update()
        statements: list[str] = []
        index._connection.set_trace_callback(statements.append)
        index.page(search, domains, None, 10, patience=30.0)
        index._connection.set_trace_callback(None)
        query = statements[-1]
        plan = " ".join(
            str(row[3]) for row in index._connection.execute(f"EXPLAIN QUERY PLAN {query.replace('Inf', '9e999')}")
        )
        assert "USING INDEX " in plan
        assert "TEMP B-TREE" not in plan
