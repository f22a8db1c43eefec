"""Segments are retired, and what stays is proven as before."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records import retention, segments, tombstones
from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.cursor import lines_behind
from aegis_authz.adapters.records.files import first_hashes, log_files, newest_notes, verify_folder
from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.index import RecordIndex
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.retention import RetentionRefused, log_plan, retire
from aegis_authz.adapters.records.tombstones import TOMBSTONE
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.anchors import AnchoredSeal, ProvenAnchors
from aegis_authz.evidence.chain import encode_record, read_link
from aegis_authz.evidence.checkpoint import read_checkpoint, sign_checkpoint
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.notes import Seal
from aegis_authz.evidence.query import IndexQuery
from aegis_authz.evidence.retention import RetentionPlan, RetentionRule
from aegis_authz.evidence.succession import sign_succession
from aegis_authz.evidence.tombstone import read_tombstone, sign_tombstone
from tests.support.exported_records import payment

KEY, SUCCESSOR = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8))
KEYS = [key.public_key().public_bytes_raw() for key in (KEY, SUCCESSOR)]
SUCCEEDED = RecordKey(SUCCESSOR, (sign_succession(KEY, KEYS[1]),))
NOW = Epoch(1_800_000_000.0)
OLD = RetentionRule(1_000_000.0, None)
ALL = 1_000_000


def grow(folder: Path, numbers: range, key: RecordKey | None = None) -> None:
    """Add records; the seal of a segment is of the time of the record that did not fit into it."""
    log = RecordFolder(folder, folder.name, key or RecordKey(KEY, ()), 4000)
    log.take_lock()
    log.open(Epoch(1000.0 * numbers.start))
    for number in numbers:
        log.commit([encode_record(payment(number))], Epoch(1000.0 * number))
    log.close()


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A log of several segments, and another writer's."""
    grow(tmp_path / "records" / "w", range(20))
    grow(tmp_path / "records" / "x", range(2))
    return tmp_path / "records"


def plan(folder: Path, before: float = 10_000.0, anchored: int = ALL) -> RetentionPlan:
    return log_plan(folder, KEYS, RetentionRule(before, None), anchored)


def retired(folder: Path, before: float = 10_000.0, key: Ed25519PrivateKey = KEY) -> RetentionPlan:
    made = plan(folder, before)
    retire(folder, KEYS, made, key, NOW)
    return made


def anchored(folder: Path, public: bytes) -> AnchoredSeal:
    """Where a log stands now, as an anchor would hold it."""
    note = newest_notes(folder, [public])[folder.name]
    (first,) = first_hashes(folder, KEYS)
    return AnchoredSeal("gw-0", first, Seal("anchor 1", read_checkpoint(note, public), public))


def report(records: Path, *anchors: AnchoredSeal) -> LogReport:
    reports = verify_folder(records, KEYS, anchors=ProvenAnchors(anchors, (), ()))
    assert [each.writer for each in reports] == ["w", "x"]
    return reports[0]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("0*"))


def test_what_stays_is_proven_and_says_what_was_retired(records: Path) -> None:
    folder = records / "w"
    before = {path.name: path.read_bytes() for path in folder.glob("0*.jsonl")}
    anchor = anchored(folder, KEYS[0])
    made = retired(folder)
    assert len(made.extents) > 1
    after = {path.name: path.read_bytes() for path in folder.glob("0*.jsonl")}
    assert after == dict(sorted(before.items())[len(made.extents) :])
    proven = report(records, anchor)
    assert proven.is_intact, proven.damages
    assert proven.records == sum(content.count(b"\n") for content in after.values())
    (note,) = proven.notes
    assert note.startswith(
        f"records 1 to {made.extents[-1].last}, the last of them of 1970-01-01, were retired on 2027"
    )


def test_a_writer_whose_first_group_behind_a_seal_is_not_sealed_finds_the_segment_that_it_goes_on_from(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "records" / "w"
    log = RecordFolder(folder, "w", RecordKey(KEY, ()), 4000)
    log.take_lock()
    log.open(Epoch(0.0))
    log.commit([encode_record(payment(1))], Epoch(0.0))
    log._close_segment(Epoch(0.0))  # and the machine stops before what follows is sealed
    head = log.head("gw-0")
    log.release()
    (folder / "00000002.jsonl").write_bytes(b"half a line")
    assert head is not None
    retire(folder, KEYS, plan(folder, anchored=head.size), KEY, NOW)
    log.take_lock()
    log.open(NOW)
    log.close()
    assert verify_folder(folder.parent, KEYS)[0].is_intact


def test_a_writer_goes_on_and_its_anchors_still_know_its_log(records: Path) -> None:
    folder = records / "w"
    early = anchored(folder, KEYS[0])
    retired(folder)
    grow(folder, range(20, 30))
    assert anchored(folder, KEYS[0]).first == early.first
    log = RecordFolder(folder, "w", RecordKey(KEY, ()), 4000)
    log.take_lock()
    log.open(NOW)
    head = log.head("gw-0")
    assert head is not None
    assert head.first == early.first
    log.close()
    assert report(records, early, anchored(folder, KEYS[0])).is_intact
    retired(folder, before=20_000.0)
    assert report(records, early, anchored(folder, KEYS[0])).is_intact


def test_compressed_segments_are_retired_like_plain_ones(records: Path) -> None:
    list(compress_log(records / "w"))
    made = retired(records / "w")
    assert names(records / "w")[0] == f"{made.extents[-1].segment + 1:08d}.jsonl.gz"
    assert report(records).is_intact


def test_a_log_is_retired_across_a_change_of_its_key(records: Path) -> None:
    folder = records / "w"
    grow(folder, range(20, 40), SUCCEEDED)
    grow(records / "x", range(2, 3), SUCCEEDED)
    early = anchored(folder, KEYS[1])
    for before, key in ((10_000.0, SUCCESSOR), (30_000.0, SUCCESSOR)):
        assert retired(folder, before, key).extents
        proven = report(records, early)
        assert proven.is_intact, proven.damages
        assert len(proven.key_ids) == 2


def test_a_former_key_cannot_retire_what_its_successor_sealed(records: Path) -> None:
    folder = records / "w"
    grow(folder, range(20, 40), SUCCEEDED)
    grow(records / "x", range(2, 3), SUCCEEDED)
    with pytest.raises(RetentionRefused, match="handed over by then"):
        retired(folder, before=30_000.0, key=KEY)
    assert not (folder / TOMBSTONE).exists()
    assert report(records).is_intact


def test_nothing_is_retired_by_a_key_that_no_verifier_was_given(records: Path) -> None:
    before = names(records / "w")
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
    with pytest.raises(RetentionRefused, match="would not be believed: it is signed with another key"):
        retired(records / "w", key=stranger)
    assert names(records / "w") == before
    assert report(records).is_intact


def test_a_tombstone_that_a_stranger_put_there_retires_nothing(records: Path) -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
    shutil.copytree(records, records.with_name("copy"))
    retired(records.with_name("copy") / "w")
    forged = read_tombstone((records.with_name("copy") / "w" / TOMBSTONE).read_bytes(), "w", KEYS)
    before = names(records / "w")
    (records / "w" / TOMBSTONE).write_bytes(sign_tombstone(forged, stranger))
    nothing = replace(plan(records / "w"), extents=())
    for made in (nothing, plan(records / "w")):
        with pytest.raises(RetentionRefused, match="cannot be trusted"):
            retire(records / "w", KEYS, made, KEY, NOW)
    assert names(records / "w") == before


def test_without_its_tombstone_a_log_is_damaged_and_not_continued(records: Path) -> None:
    made = retired(records / "w")
    (records / "w" / TOMBSTONE).unlink()
    assert f"records 1 to {made.extents[-1].last} missing before it" in report_of(records)
    with pytest.raises(LogAltered, match="no tombstone says why"):
        grow(records / "w", range(20, 21))


def report_of(records: Path) -> str:
    return "\n".join(damage.what for each in verify_folder(records, KEYS) for damage in each.damages)


def test_an_older_tombstone_does_not_stand_for_what_was_retired_after_it(records: Path) -> None:
    retired(records / "w", before=6_000.0)
    older = (records / "w" / TOMBSTONE).read_bytes()
    assert retired(records / "w", before=12_000.0).extents
    (records / "w" / TOMBSTONE).write_bytes(older)
    assert "missing before it" in report_of(records)


def test_a_tombstone_that_was_altered_or_is_of_another_log_is_named(records: Path) -> None:
    retired(records / "w")
    note = (records / "w" / TOMBSTONE).read_bytes()
    (records / "w" / TOMBSTONE).write_bytes(note.replace(b"\n1800000000\n", b"\n1800000001\n"))
    assert "it cannot be trusted: its signature does not verify" in report_of(records)
    (records / "w" / TOMBSTONE).write_bytes(note)
    shutil.copy(records / "w" / TOMBSTONE, records / "x" / TOMBSTONE)
    assert "it is of the log of w" in report_of(records)


def test_a_log_of_another_key_is_not_proven_and_no_more_than_that(records: Path) -> None:
    retired(records / "w")
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32).public_key().public_bytes_raw()
    reports = verify_folder(records, [stranger])
    assert [each.is_foreign for each in reports] == [True, True]


@pytest.mark.parametrize("step", range(1, 5))
def test_a_machine_that_stops_while_it_retires_leaves_the_log_proven(
    records: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(records / "w")
    calls: list[object] = []
    with monkeypatch.context() as stopping:
        unlink, replace_file = Path.unlink, os.replace

        def stop() -> None:
            calls.append(None)
            if len(calls) == step:
                raise InterruptedError

        stopping.setattr(os, "replace", lambda *words: (stop(), replace_file(*words)))
        stopping.setattr(Path, "unlink", lambda path, missing_ok=False: (stop(), unlink(path, missing_ok=missing_ok)))
        with pytest.raises(InterruptedError):
            retire(records / "w", KEYS, made, KEY, NOW)
    assert report(records).is_intact
    grow(records / "w", range(20, 21))
    again = plan(records / "w")
    retire(records / "w", KEYS, again, KEY, NOW)
    assert report(records).is_intact
    assert names(records / "w")[0] == f"{made.extents[-1].segment + 1:08d}.jsonl"


def test_a_segment_that_its_writer_begins_meanwhile_stays(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = records / "w"
    listing, begun = segments.segments, []

    def while_the_writer_goes_on(of: Path) -> list[segments.Segment]:
        begun.append(of / segments.file_name(100 + len(begun)))
        present = listing(of)
        begun[-1].write_bytes(b"a record\n")
        return present

    made = plan(folder)
    for room in (retention, tombstones):
        monkeypatch.setattr(room, "segments", while_the_writer_goes_on, raising=False)
    retire(folder, KEYS, made, KEY, NOW)
    assert begun
    assert all(path.exists() for path in begun)
    assert not any(segments.Segment(folder, extent.segment).size() for extent in made.extents)


def test_nothing_is_retired_of_segments_that_are_not_as_they_were_sealed(records: Path) -> None:
    made = plan(records / "w")
    path = records / "w" / "00000002.jsonl"
    path.write_bytes(path.read_bytes().replace(b"50000", b"50001", 1))
    before = names(records / "w")
    with pytest.raises(RetentionRefused, match="do not match its hash"):
        retire(records / "w", KEYS, made, KEY, NOW)
    assert names(records / "w") == before
    assert not (records / "w" / TOMBSTONE).exists()


def test_nothing_is_retired_of_a_log_whose_checkpoints_are_of_another_key(records: Path) -> None:
    made = plan(records / "w")
    for slot in (records / "w").glob("checkpoint-*.note"):
        slot.write_bytes(sign_checkpoint(read_checkpoint(slot.read_bytes(), KEYS[0]), SUCCESSOR, KEYS[1]))
    with pytest.raises(RetentionRefused, match="no checkpoint of"):
        retire(records / "w", KEYS[:1], made, KEY, NOW)
    assert not (records / "w" / TOMBSTONE).exists()


def test_the_open_segment_and_what_no_anchor_covers_stay(records: Path) -> None:
    everything = plan(records / "w", before=1e9)
    assert everything.staying == 1
    covered = everything.extents[1].last
    partly = plan(records / "w", 1e9, covered + 1)
    assert (len(partly.extents), partly.is_held_up) == (2, True)
    assert plan(records / "w", 1e9, covered).extents == everything.extents[:1]


def test_what_cannot_be_expanded_stays_and_holds_up_what_is_behind_it(records: Path) -> None:
    list(compress_log(records / "w"))
    (records / "w" / "00000002.jsonl.gz").write_bytes(b"no gzip")
    assert [extent.segment for extent in plan(records / "w").extents] == [1]


def test_files_without_a_seal_at_the_beginning_of_a_log_hold_up_all_behind_them(records: Path) -> None:
    first = records / "w" / "00000001.jsonl"
    first.write_bytes(b"".join(first.read_bytes().splitlines(keepends=True)[:-1]))
    assert plan(records / "w").extents == ()


def test_an_index_forgets_what_was_retired(records: Path) -> None:
    everything = IndexQuery("", "", "", "", 0.0, float("inf"))
    with closing(RecordIndex(records, records.parent / "records.index")) as index:
        index.update()
        whole = index.records(everything, 100)
        retired(records / "w")
        index.update()
        found = index.records(everything, 100)
    assert 0 < len(found) < len(whole)
    assert found == [stored for stored in whole if stored in found]
    (log, _) = log_files(records)
    assert read_link(next(log.oldest_first()).raw).seq > 1


def test_readers_pass_over_what_is_retired_as_they_come_to_it(records: Path) -> None:
    made = plan(records / "w")
    (log, _) = log_files(records)
    forth, back = log.oldest_first(), log.newest_first()
    behind = lines_behind(records, {})
    seqs = [[read_link(next(lines).raw).seq] for lines in (forth, back)]
    next(behind)
    retire(records / "w", KEYS, made, KEY, NOW)
    for numbers, lines in zip(seqs, (forth, back), strict=True):
        numbers += [read_link(line.raw).seq for line in lines]
    staying = set(range(made.extents[-1].last + 1, max(seqs[0]) + 1))
    assert staying <= set(seqs[0])
    assert set(seqs[1]) == staying
    assert staying <= {read_link(placed.line.raw).seq for placed in behind if placed.writer == "w"}
