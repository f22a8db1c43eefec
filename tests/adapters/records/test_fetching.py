"""Shipped segments come back, each proven before it is put in place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.encrypting import encrypt_log
from aegis_authz.adapters.records.fetching import fetch_log, stored_logs
from aegis_authz.adapters.records.files import first_hashes, newest_notes, verify_folder
from aegis_authz.adapters.records.keyring import VARIABLE, FileKey, make_key_file
from aegis_authz.adapters.records.retention import log_plan, retire
from aegis_authz.adapters.records.shipped import safe_count
from aegis_authz.adapters.records.shipping import Destination
from aegis_authz.evidence.anchors import AnchoredSeal, ProvenAnchors
from aegis_authz.evidence.checkpoint import read_checkpoint
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.notes import Seal
from aegis_authz.evidence.retention import RetentionRule
from aegis_authz.evidence.shipping import Fetching
from tests.support.memory_bucket import MemoryBucket
from tests.support.sealed_logs import KEY, KEYS, NOW, destination, grow, shipped


@pytest.fixture
def log(tmp_path: Path) -> Path:
    grow(tmp_path / "records" / "w", range(20))
    return tmp_path / "records" / "w"


def fetched(place: Destination, out: Path) -> list[Fetching]:
    logs, _ = stored_logs(place)
    return [each for name, log in sorted(logs.items()) for each in fetch_log(log, out / name, KEYS, place)]


def report(out: Path, *anchors: AnchoredSeal) -> LogReport:
    (found,) = verify_folder(out, KEYS, anchors=ProvenAnchors(anchors, (), ()), is_sealed_alone=True)
    return found


@pytest.mark.parametrize("is_compressed", [False, True])
def test_what_comes_back_is_what_was_shipped_and_is_proven(log: Path, tmp_path: Path, is_compressed: bool) -> None:
    if is_compressed:
        list(compress_log(log))
    place, out = destination(MemoryBucket()), tmp_path / "out"
    count = len(shipped(log, place))
    results = fetched(place, out)
    assert [result.state for result in results] == ["fetched"] * count
    assert sorted(path.name for path in (out / "w").iterdir()) == sorted(
        path.name for path in sorted(log.glob("0*"))[:-1]
    )
    proof = report(out)
    assert proof.is_intact and proof.sealed == proof.records > 0
    assert [result.state for result in fetched(place, out)] == ["present"] * count


def test_a_segment_that_was_compressed_since_is_the_same(log: Path, tmp_path: Path) -> None:
    place, out = destination(MemoryBucket()), tmp_path / "out"
    shipped(log, place)
    fetched(place, out)
    for file in (out / "w").iterdir():
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert {result.state for result in fetched(place, out)} == {"present"}


@pytest.mark.parametrize("has_key", [True, False])
def test_an_encrypted_segment_comes_back_encrypted_and_is_proven_with_its_key_and_without(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    make_key_file(tmp_path / "kek")
    monkeypatch.setenv(VARIABLE, f"file:{tmp_path / 'kek'}")
    plain, place, out = destination(MemoryBucket()), destination(MemoryBucket(name="s3://other")), tmp_path / "out"
    shipped(log, plain)
    count = len(list(encrypt_log(log, KEYS, FileKey(tmp_path / "kek"), KEY)))
    if not has_key:
        monkeypatch.delenv(VARIABLE)
    assert [result.state for result in shipped(log, place)] == ["shipped"] * count
    assert [result.state for result in fetched(place, out)] == ["fetched"] * count
    assert {path.suffix for path in (out / "w").iterdir()} == {".enc"}
    assert report(out).is_intact
    assert {result.state for result in fetched(plain, out)} == {"present"}, "by what the seals say"
    assert safe_count(log, range(1, count + 1), KEYS, place, NOW) == (count, "")


def test_an_encrypted_segment_that_was_altered_is_named(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key_file(tmp_path / "kek")
    list(encrypt_log(log, KEYS, FileKey(tmp_path / "kek"), KEY))
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    stored = bucket.objects["gw-0/w/00000001.jsonl.enc"][0]
    content = bytearray(stored.content or b"")
    content[-1] ^= 1
    stored.content = bytes(content)
    bucket.objects["gw-0/w/00000002.jsonl.enc"][0].content = bucket.objects["gw-0/w/00000003.jsonl.enc"][0].content
    results = fetched(destination(bucket), tmp_path / "out")
    assert [result.state for result in results[:3]] == ["unproven", "unproven", "fetched"]
    assert "its encrypted bodies are not those that were signed" in results[0].why
    assert "it seals another segment" in results[1].why


def test_a_file_that_holds_something_else_stays_as_it_is_and_is_named(log: Path, tmp_path: Path) -> None:
    place, out = destination(MemoryBucket()), tmp_path / "out"
    shipped(log, place)
    (out / "w").mkdir(parents=True)
    (out / "w" / "00000001.jsonl").write_text("mine\n", "utf-8")
    first, *others = fetched(place, out)
    assert (first.state, first.why) == (
        "different",
        f"{out}/w/00000001.jsonl holds something else; it stays as it is",
    )
    assert (out / "w" / "00000001.jsonl").read_text("utf-8") == "mine\n"
    assert {result.state for result in others} == {"fetched"}


def test_an_object_that_was_written_over_is_named_and_the_version_below_comes_back(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    place = destination(bucket)
    shipped(log, place)
    bucket.write("gw-0/w/00000001.jsonl", b"forged\n")
    first, *others = fetched(place, tmp_path / "out")
    assert first.state == "fetched" and not first.is_whole
    assert first.faults == ("gw-0/w/00000001.jsonl version v2 is not segment 1 of w: it does not end in a seal",)
    assert all(result.is_whole for result in others)
    assert report(tmp_path / "out").is_intact


def test_an_object_behind_a_marker_of_a_removal_is_named_and_comes_back(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    bucket.write("gw-0/w/00000001.jsonl", None)
    first = fetched(destination(bucket), tmp_path / "out")[0]
    assert (first.state, first.faults) == (
        "fetched",
        ("gw-0/w/00000001.jsonl was deleted: a marker hides its versions",),
    )


def test_an_object_that_was_altered_is_named_and_the_rest_is_verified(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    stored = bucket.objects["gw-0/w/00000002.jsonl"][0]
    assert stored.content is not None
    stored.content = stored.content.replace(b"finance-agent", b"finance-agenT", 1)
    results = fetched(destination(bucket), tmp_path / "out")
    assert [result.state for result in results[:3]] == ["fetched", "unproven", "fetched"]
    assert results[1].why.startswith("gw-0/w/00000002.jsonl version v1 is not segment 2 of w: ")
    proof = report(tmp_path / "out")
    assert proof.damages[0].what.startswith("segment 3 stands where segment 2 belongs")


def test_an_object_that_is_missing_is_named_and_the_rest_comes_back(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    del bucket.objects["gw-0/w/00000002.jsonl"]
    results = fetched(destination(bucket), tmp_path / "out")
    assert [(result.state, result.why) for result in results[1:2]] == [("missing", "no object holds segment 2 of w")]
    assert {result.state for result in (results[0], *results[2:])} == {"fetched"}
    assert not report(tmp_path / "out").is_intact


def test_a_gap_of_any_number_of_segments_is_told_of_once(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    count = len(shipped(log, destination(bucket)))
    bucket.write("gw-0/w/99999999.jsonl", b"no segment")
    results = fetched(destination(bucket), tmp_path / "out")
    assert [result.state for result in results] == [*["fetched"] * count, "missing", "unproven"]
    assert results[-2].why == f"no object holds segments {count + 1} to 99999998 of w"


def test_a_tombstone_that_is_larger_than_any_is_left_where_it_is(log: Path, tmp_path: Path) -> None:
    plan = log_plan(log, KEYS, RetentionRule(before=NOW + 1e9, at_most=None), 20)
    retire(log, KEYS, plan, KEY, NOW)
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    (key,) = [key for key in bucket.objects if "tombstone" in key]
    bucket.write(key, b"x" * 1_000_000)
    results = fetched(destination(bucket), tmp_path / "out")
    assert {result.state for result in results} == {"fetched"}
    assert report(tmp_path / "out").is_intact


def test_another_logs_segment_under_this_name_is_not_taken(log: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    content = bucket.objects["gw-0/w/00000001.jsonl"][0].content
    bucket.write("gw-0/x/00000001.jsonl", content)
    bucket.write("gw-0/w/00000009.jsonl", content)
    results = {(result.writer, result.segment): result for result in fetched(destination(bucket), tmp_path / "out")}
    assert results["x", 1].why.endswith("is not segment 1 of x: its last line is not as its writer left it")
    assert results["w", 9].why.endswith("it seals another segment than the one before it")


def test_objects_that_are_no_segments_are_named(log: Path) -> None:
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    for key in ("gw-0/w/notes.txt", "gw-0/00000001.jsonl", "gw-0/w/00000000.jsonl", "gw-0/../w/00000001.jsonl"):
        bucket.write(key, b"x")
    bucket.write("other/w/00000001.jsonl", b"x")
    logs, foreign = stored_logs(destination(bucket))
    assert sorted(logs) == ["w"]
    assert sorted(foreign) == [
        "gw-0/../w/00000001.jsonl", "gw-0/00000001.jsonl", "gw-0/w/00000000.jsonl", "gw-0/w/notes.txt"
    ]  # fmt: skip


def test_a_log_that_was_retired_before_it_was_shipped_comes_back_behind_its_tombstone(
    log: Path, tmp_path: Path
) -> None:
    retire(log, KEYS, log_plan(log, KEYS, RetentionRule(10_000.0, None), 1_000_000), KEY, NOW)
    place = destination(MemoryBucket())
    shipped(log, place)
    assert {result.state for result in fetched(place, tmp_path / "out")} == {"fetched"}
    proof = report(tmp_path / "out")
    assert proof.is_intact and proof.notes[0].startswith("records 1 to ")


def test_without_that_tombstone_it_is_missing(log: Path, tmp_path: Path) -> None:
    retire(log, KEYS, log_plan(log, KEYS, RetentionRule(10_000.0, None), 1_000_000), KEY, NOW)
    bucket = MemoryBucket()
    shipped(log, destination(bucket))
    (key,) = [key for key in bucket.objects if "tombstone" in key]
    del bucket.objects[key]
    first = fetched(destination(bucket), tmp_path / "out")[0]
    assert (first.state, first.key) == ("missing", key)
    assert not report(tmp_path / "out").is_intact


def test_an_anchor_of_what_is_not_sealed_yet_is_a_note_and_one_that_contradicts_a_damage(
    log: Path, tmp_path: Path
) -> None:
    place, out = destination(MemoryBucket()), tmp_path / "out"
    shipped(log, place)
    fetched(place, out)
    (first,) = first_hashes(log, KEYS)
    newest = read_checkpoint(newest_notes(log, KEYS)["w"], KEYS[0])
    proof = report(out, AnchoredSeal("gw-0", first, Seal("anchor 1", newest, KEYS[0])))
    assert proof.is_intact
    assert proof.notes == (f"of {newest.size} records that are known, those behind {proof.records} are not here",)
    forged = type(newest)(newest.writer, 3, b"\x00" * 32)
    assert not report(out, AnchoredSeal("gw-0", first, Seal("anchor 1", forged, KEYS[0]))).is_intact


def test_a_folder_with_an_open_segment_is_no_folder_of_sealed_ones(log: Path) -> None:
    (found,) = verify_folder(log, KEYS, is_sealed_alone=True)
    assert found.damages[-1].what == "it does not end in a seal, so it is more than sealed segments, or less"
