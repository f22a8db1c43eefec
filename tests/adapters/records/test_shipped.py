"""What the store says of segments that were shipped, and which of them may be retired."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.shipped import safe_count, shipped_segments
from aegis_authz.core.units import Epoch
from aegis_authz.ports.object_store import ObjectLock
from tests.support.memory_bucket import MemoryBucket
from tests.support.sealed_logs import KEYS, NOW, destination, grow, shipped

FIRST = "gw-0/w/00000001.jsonl"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    grow(tmp_path / "records" / "w", range(20))
    return tmp_path / "records" / "w"


@pytest.fixture
def bucket(log: Path) -> MemoryBucket:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    return bucket


def test_shipped_segments_say_until_when_they_are_locked_and_the_others_that_they_wait(
    log: Path, bucket: MemoryBucket
) -> None:
    count = len(bucket.objects)
    grow(log, range(20, 30))
    told = list(shipped_segments(log, KEYS, destination(bucket)))
    assert [each.state for each in told[:count]] == ["shipped"] * count
    assert {each.until for each in told[:count]} == {int(NOW) + 200 * 86_400}
    assert {each.state for each in told[count:]} == {"waiting"} and len(told) > count


def first_fault(log: Path, bucket: MemoryBucket) -> str:
    told = list(shipped_segments(log, KEYS, destination(bucket)))
    assert [each.state for each in told] == ["damaged", *["shipped"] * (len(told) - 1)]
    return told[0].why


def test_an_object_that_is_not_as_it_was_shipped_is_named_and_the_rest_is_asked(
    log: Path, bucket: MemoryBucket
) -> None:
    stored = bucket.objects[FIRST][0]
    bucket.write(FIRST, b"forged\n")
    assert first_fault(log, bucket) == f"{FIRST} was written again: version v1 is as it was shipped"
    bucket.objects[FIRST].pop()
    bucket.write(FIRST, None)
    assert first_fault(log, bucket) == f"{FIRST} was deleted: a marker hides version v1, which is there"
    bucket.objects[FIRST].pop()
    content = stored.content
    stored.content = b"x" * len(content or b"")
    assert first_fault(log, bucket) == f"{FIRST} version v1 was altered: it is not what was shipped"
    stored.content, stored.lock = content, ObjectLock("COMPLIANCE", NOW)
    assert first_fault(log, bucket) == f"{FIRST} version v1 is no longer locked as it was"
    del bucket.objects[FIRST]
    assert first_fault(log, bucket) == f"{FIRST} version v1 is missing"


def test_a_segment_is_safe_when_what_comes_back_is_what_is_here_in_whatever_form(
    log: Path, bucket: MemoryBucket
) -> None:
    list(compress_log(log))
    assert safe_count(log, [1, 2], KEYS, destination(bucket), NOW) == (2, "")


def test_a_segment_that_is_not_safe_in_the_store_ends_those_that_are(log: Path, bucket: MemoryBucket) -> None:
    place = destination(bucket)
    second = "gw-0/w/00000002.jsonl"
    assert safe_count(log, [1, 2], KEYS, place, Epoch(NOW + 201 * 86_400))[1] == f"{FIRST} version v1 is not locked"
    stored = bucket.objects[second][0]
    stored.content = bucket.objects[FIRST][0].content
    assert safe_count(log, [1, 2], KEYS, place, NOW) == (
        1,
        f"{second} version v1 is not that segment: it seals another segment than the one before it",
    )
    del bucket.objects[second]
    assert safe_count(log, [1, 2], KEYS, place, NOW) == (1, f"{second} version v1 is missing")
    (log / "shipped.jsonl").unlink()
    assert safe_count(log, [1, 2], KEYS, place, NOW) == (0, "it is not shipped")


def test_a_ledger_that_names_another_object_frees_nothing(log: Path, bucket: MemoryBucket) -> None:
    ledger = log / "shipped.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"00000001.jsonl", b"00000002.jsonl"))
    count, why = safe_count(log, [1], KEYS, destination(bucket), NOW)
    assert (count, why) == (0, "the ledger names gw-0/w/00000002.jsonl, which is not that segment")
