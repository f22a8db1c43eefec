"""Sealed segments are shipped once each, proven before and read back after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_authz.adapters.records.compression import compress_log, segments_locked
from aegis_authz.adapters.records.folder import FolderBusy, RecordFolder
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.retention import log_plan, retire
from aegis_authz.adapters.records.shipping import LEDGER, shipments
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.retention import RetentionRule
from aegis_authz.evidence.shipping import LedgerInvalid
from aegis_authz.ports.object_store import ObjectLock, ObjectVersion, StoreUnavailable
from tests.support.memory_bucket import MemoryBucket
from tests.support.sealed_logs import KEY, KEYS, NOW, destination, grow, shipped

UNTIL = Epoch(NOW + 200 * 86_400)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    grow(tmp_path / "records" / "w", range(20))
    return tmp_path / "records" / "w"


def sealed(log: Path) -> list[Path]:
    return sorted(log.glob("0*.jsonl*"))[:-1]


def test_each_sealed_segment_is_an_object_of_its_own_that_is_locked(log: Path) -> None:
    bucket = MemoryBucket()
    results = shipped(log, destination(bucket))
    assert [result.state for result in results] == ["shipped"] * len(sealed(log)) and len(results) > 1
    assert sorted(bucket.objects) == [f"gw-0/w/{file.name}" for file in sealed(log)]
    for file in sealed(log):
        (version,) = bucket.objects[f"gw-0/w/{file.name}"]
        assert (version.content, version.lock) == (file.read_bytes(), ObjectLock("COMPLIANCE", UNTIL))
    assert (log / LEDGER).stat().st_mode & 0o777 == 0o600


def test_what_is_shipped_is_not_shipped_again_whatever_becomes_of_its_file(log: Path) -> None:
    bucket = MemoryBucket()
    count = len(shipped(log, destination(bucket)))
    assert shipped(log, destination(bucket)) == []
    assert len(list(compress_log(log))) == count
    assert shipped(log, destination(bucket)) == []
    grow(log, range(20, 30))
    assert [result.segment for result in shipped(log, destination(bucket))] == list(
        range(count + 1, len(sealed(log)) + 1)
    )


def test_a_segment_is_shipped_as_the_file_that_it_is_in(log: Path) -> None:
    bucket = MemoryBucket()
    list(compress_log(log))
    shipped(log, destination(bucket))
    assert sorted(bucket.objects) == [f"gw-0/w/{file.name}" for file in sealed(log)]
    assert all(key.endswith(".jsonl.gz") for key in bucket.objects)


def test_a_dry_run_says_what_it_would_ship_and_ships_nothing(log: Path) -> None:
    bucket = MemoryBucket()
    assert {result.state for result in shipped(log, destination(bucket), is_dry=True)} == {"pending"}
    assert bucket.objects == {} and not (log / LEDGER).exists()


def test_a_run_that_was_stopped_is_taken_up_where_it_stopped(log: Path) -> None:
    bucket = MemoryBucket(fail_after=1)
    with pytest.raises(StoreUnavailable):
        shipped(log, destination(bucket))
    bucket.fail_after = None
    assert [result.segment for result in shipped(log, destination(bucket))] == list(range(2, len(sealed(log)) + 1))


@pytest.mark.parametrize("keeps_checksums", [True, False])
def test_what_came_to_the_store_before_the_ledger_knew_is_found_and_not_written_again(
    log: Path, keeps_checksums: bool
) -> None:
    bucket = MemoryBucket(keeps_checksums=keeps_checksums)
    shipped(log, destination(bucket))
    (log / LEDGER).write_bytes((log / LEDGER).read_bytes().splitlines(keepends=True)[0] + b'{"segment":2')
    assert {result.state for result in shipped(log, destination(bucket))} == {"found"}
    assert all(len(versions) == 1 for versions in bucket.objects.values())


def test_a_line_of_the_ledger_that_a_crash_left_without_its_end_is_written_anew(log: Path) -> None:
    bucket = MemoryBucket()
    count = len(shipped(log, destination(bucket)))
    whole = (log / LEDGER).read_bytes()
    (log / LEDGER).write_bytes(whole[:-20])
    assert [result.segment for result in shipped(log, destination(bucket))] == [count]
    assert list(shipments(log, destination(bucket))) == list(range(1, count + 1))
    assert (log / LEDGER).read_bytes() == whole
    (log / LEDGER).write_bytes(b'{"segm')
    assert len(shipped(log, destination(bucket))) == count
    assert (log / LEDGER).read_bytes() == whole


def test_an_object_whose_lock_is_over_is_none_that_was_shipped(log: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    (log / LEDGER).unlink()
    bucket.objects["gw-0/w/00000001.jsonl"][0].lock = ObjectLock("COMPLIANCE", NOW)
    results = shipped(log, destination(bucket))
    assert [result.state for result in results] == ["refused", *["found"] * (len(results) - 1)]
    assert "not locked any more" in results[0].why


def test_an_object_that_is_larger_than_the_file_is_not_read_to_its_end(log: Path) -> None:
    bucket = MemoryBucket(keeps_checksums=False)
    bucket.write("gw-0/w/00000001.jsonl", b"x" * 100_000, ObjectLock("COMPLIANCE", UNTIL))
    reads: list[int] = []
    read = bucket.read

    def counting(key: str, version: str, target: Path, most: int) -> None:
        reads.append(most)
        read(key, version, target, most)

    bucket.read = counting  # type: ignore[method-assign]
    assert shipped(log, destination(bucket))[0].state == "refused"
    assert reads[0] == sealed(log)[0].stat().st_size < 100_000


def test_a_segment_that_is_not_as_its_seal_says_stays_and_the_rest_is_shipped(log: Path) -> None:
    first = sealed(log)[0]
    first.write_bytes(first.read_bytes().replace(b"finance-agent", b"finance-agenT", 1))
    bucket = MemoryBucket()
    results = shipped(log, destination(bucket))
    assert [result.state for result in results] == ["refused", *["shipped"] * (len(results) - 1)]
    assert results[0].why == "it seals another segment than the one before it"
    assert f"gw-0/w/{first.name}" not in bucket.objects


def test_a_version_that_is_deleted_while_it_is_looked_at_is_none(log: Path) -> None:
    bucket = MemoryBucket()
    listed = [ObjectVersion("gw-0/w/00000001.jsonl", "gone", True, False)]
    bucket.versions = lambda prefix: iter(listed if prefix.endswith("1.jsonl") else ())  # type: ignore[method-assign]
    assert {result.state for result in shipped(log, destination(bucket))} == {"shipped"}


def test_two_machines_with_one_prefix_are_told_apart(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    grow(tmp_path / "other" / "w", range(100, 120))
    results = shipped(tmp_path / "other" / "w", destination(bucket))
    assert {result.state for result in results} == {"refused"}
    assert "give each machine a prefix of its own" in results[0].why
    assert all(len(versions) == 1 for versions in bucket.objects.values())


def test_another_store_or_another_prefix_has_nothing_yet(log: Path) -> None:
    count = len(shipped(log, destination(MemoryBucket())))
    other = destination(MemoryBucket(name="s3://other"))
    assert len(shipped(log, other)) == count
    assert len(shipped(log, destination(MemoryBucket(), prefix="elsewhere/"))) == count
    assert len(shipments(log, other)) == count


def test_a_store_that_does_not_lock_as_it_was_asked_to_has_nothing_shipped(log: Path) -> None:
    bucket = MemoryBucket()
    write = bucket.write
    bucket.write = lambda key, content, lock=None: write(key, content, None)  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="not locked as it was asked for"):
        shipped(log, destination(bucket))
    assert not (log / LEDGER).exists()


def test_a_ledger_that_cannot_be_read_is_named_with_its_line(log: Path) -> None:
    shipped(log, destination(MemoryBucket()))
    (log / LEDGER).write_bytes(b'{"segment":"1"}\n')
    with pytest.raises(LedgerInvalid, match=r"records/w/shipped.jsonl line 1 is no shipment"):
        shipped(log, destination(MemoryBucket()))


def test_only_one_process_ships_or_compresses(log: Path) -> None:
    with segments_locked(log), pytest.raises(FolderBusy):
        shipped(log, destination(MemoryBucket()))


def test_it_ships_beside_a_writer_that_goes_on(log: Path) -> None:
    writer = RecordFolder(log, "w", RecordKey(KEY, ()), 4000)
    writer.take_lock()
    writer.open(Epoch(100_000.0))
    bucket = MemoryBucket()
    assert {result.state for result in shipped(log, destination(bucket))} == {"shipped"}
    writer.close()


def test_what_was_retired_unshipped_is_stood_for_by_its_tombstone(log: Path) -> None:
    retire(log, KEYS, log_plan(log, KEYS, RetentionRule(10_000.0, None), 1_000_000), KEY, NOW)
    bucket = MemoryBucket()
    results = shipped(log, destination(bucket))
    first = results[0].segment
    assert first > 1
    assert f"gw-0/w/tombstone-{first - 1:08d}.note" in bucket.objects


def test_the_ledger_names_object_and_version(log: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    line = json.loads((log / LEDGER).read_bytes().splitlines()[0])
    assert (line["store"], line["key"], line["version"]) == ("s3://memory", "gw-0/w/00000001.jsonl", "v1")
    assert (line["until"], line["at"]) == (UNTIL, NOW)
