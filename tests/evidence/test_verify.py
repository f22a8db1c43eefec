from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.record import CutRecord, RedactionRecord
from aegis_authz.evidence.chain import encode_record, genesis, link
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint
from aegis_authz.evidence.log_report import LogLine, LogReport
from aegis_authz.evidence.notes import Note
from aegis_authz.evidence.verify import MAX_DAMAGES, LogCheck

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
SIZE = 7


def record(number: int, text: str = "done") -> bytes:
    return encode_record(RedactionRecord(f"0190-{number:04d}", 1000.0 + number, "request", {"us_ssn": number}, text))


def chain(records: Iterable[bytes], writer: str = "w", public: bytes = PUBLIC) -> tuple[list[bytes], list[bytes]]:
    """The lines, and the head after each number of them."""
    lines: list[bytes] = []
    heads = [genesis(writer, public)]
    for record_bytes in records:
        line, head = link(writer, len(lines) + 1, heads[-1], record_bytes)
        lines.append(line)
        heads.append(head)
    return lines, heads


LINES, HEADS = chain(record(number) for number in range(1, SIZE + 1))


def note(size: int = SIZE, heads: Sequence[bytes] = HEADS, writer: str = "w", key: Ed25519PrivateKey = KEY) -> Note:
    raw = sign_checkpoint(Checkpoint(writer, size, heads[size]), key, key.public_key().public_bytes_raw())
    return Note("w/checkpoint-a.note", raw)


def verify(
    lines: Iterable[bytes],
    notes: Sequence[Note] | None = None,
    expected: Sequence[Checkpoint] = (),
) -> LogReport:
    raw = io.BytesIO(b"".join(lines))
    numbered = [LogLine("w/00000001.jsonl", number, line) for number, line in enumerate(raw, start=1)]
    check = LogCheck("w", [PUBLIC], [note()] if notes is None else notes, expected)
    for line in numbered:
        check.add(line)
    return check.conclude()


def said(report: LogReport) -> str:
    return "\n".join(damage.sentence() for damage in report.damages)


def test_an_untouched_log_is_intact() -> None:
    report = verify(LINES, [note(), note(SIZE - 1)])
    assert report.is_intact, said(report)
    assert (report.records, report.sealed, report.head) == (SIZE, SIZE, HEADS[-1].hex())
    assert (report.first_time, report.last_time) == (1001.0, 1000.0 + SIZE)


def test_an_empty_log_with_its_first_checkpoint_is_intact() -> None:
    assert verify([], [note(0)]).is_intact


@given(victim=st.integers(1, SIZE), at=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_any_flipped_byte_is_found_and_its_record_named(victim: int, at: int, mask: int) -> None:
    spoiled = bytearray(LINES[victim - 1])
    spoiled[at % len(spoiled)] ^= mask
    report = verify([*LINES[: victim - 1], bytes(spoiled), *LINES[victim:]])
    assert victim in {damage.seq for damage in report.damages}
    assert report.damages[0].seq == victim


@given(gone=st.sets(st.integers(0, SIZE - 1), min_size=1))
def test_any_deletion_is_found_and_named(gone: set[int]) -> None:
    report = verify(line for at, line in enumerate(LINES) if at not in gone)
    assert not report.is_intact
    last_kept = max(set(range(SIZE)) - gone, default=-1)
    for index in gone:
        if index < last_kept:
            assert any(damage.seq > index + 1 and "missing before it" in damage.what for damage in report.damages)
        else:
            assert "missing: the log was truncated" in said(report)


@given(order=st.permutations(range(SIZE)).filter(lambda order: order != sorted(order)))
def test_any_reordering_is_found_and_names_a_moved_record(order: list[int]) -> None:
    report = verify(LINES[index] for index in order)
    moved = {LINES[index] for at, index in enumerate(order) if at != index}
    named = {damage.decision_id for damage in report.damages}
    assert any(f'"decision_id":"{name}"'.encode() in line for name in named if name for line in moved)


@given(twice=st.integers(1, SIZE))
def test_a_repeated_record_is_found(twice: int) -> None:
    report = verify([*LINES[:twice], LINES[twice - 1], *LINES[twice:]])
    assert [damage.seq for damage in report.damages] == [twice]
    assert "out of order" in said(report)


@given(cut=st.integers(1, sum(map(len, LINES))))
def test_any_truncation_is_found(cut: int) -> None:
    assert not verify([b"".join(LINES)[:-cut]]).is_intact


def test_the_sentence_names_record_decision_file_and_line() -> None:
    lines = [*LINES]
    lines[2] = lines[2].replace(b'"done"', b'"gone"')
    (damage,) = verify(lines).damages
    assert damage.sentence() == (
        "record 3 (decision 0190-0003) in w/00000001.jsonl line 3: its bytes do not match its hash"
    )


def test_a_log_rewritten_from_some_record_on_without_the_key_is_found() -> None:
    forged, _ = chain([*(record(number) for number in range(1, 4)), record(4, "forged"), *map(record, range(5, 8))])
    report = verify(forged)
    assert "rewritten or forked" in said(report)


def test_a_record_altered_with_its_own_hash_breaks_the_link_behind_it() -> None:
    forged, _ = link("w", 4, HEADS[3], record(4, "forged"))
    report = verify([*LINES[:3], forged, *LINES[4:]])
    assert [damage.seq for damage in report.damages] == [5]
    assert "does not continue the record before it" in said(report)


def test_records_added_behind_the_newest_checkpoint_are_found() -> None:
    added, _ = link("w", SIZE + 1, HEADS[-1], record(SIZE + 1))
    (damage,) = verify([*LINES, added]).damages
    assert (damage.seq, damage.line, damage.decision_id) == (SIZE + 1, SIZE + 1, f"0190-{SIZE + 1:04d}")
    assert "no signed checkpoint covers it" in damage.what


def test_rolling_back_the_checkpoint_alone_is_found() -> None:
    assert "no signed checkpoint covers it" in said(verify(LINES, [note(SIZE - 2)]))


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [Note("w/checkpoint-a.note", b"")],
        [note(), Note("w/checkpoint-b.note", b"garbage")],
        [note(key=STRANGER)],
        [note(writer="v")],
    ],
    ids=["none", "empty", "one of two", "another key", "another writer"],
)
def test_a_checkpoint_that_is_missing_or_not_ours_is_found(notes: list[Note]) -> None:
    assert not verify(LINES, notes).is_intact


def test_an_older_checkpoint_that_disagrees_is_found() -> None:
    _, other = chain(map(record, [9] * SIZE))
    assert "rewritten or forked" in said(verify(LINES, [note(), note(3, other)]))


def test_rolling_back_log_and_checkpoint_together_is_seen_only_against_one_kept_elsewhere() -> None:
    rolled_back, seal = LINES[:4], [note(4)]
    assert verify(rolled_back, seal).is_intact
    report = verify(rolled_back, seal, [Checkpoint("w", SIZE, HEADS[SIZE])])
    assert f"seals {SIZE} records, 5 to {SIZE} missing" in said(report)


def test_a_fork_made_with_the_key_is_seen_against_a_checkpoint_kept_elsewhere() -> None:
    fork, heads = chain([*map(record, range(1, 5)), record(5, "forged"), *map(record, range(6, 10))])
    seal = [note(9, heads)]
    assert verify(fork, seal).is_intact
    assert verify(fork, seal, [Checkpoint("w", 4, HEADS[4])]).is_intact
    report = verify(fork, seal, [Checkpoint("w", SIZE, HEADS[SIZE])])
    assert "the checkpoint kept elsewhere" in said(report)
    assert "forked" in said(report)


def test_the_log_of_another_key_or_writer_is_not_taken_for_this_one() -> None:
    other, heads = chain(map(record, range(1, SIZE + 1)), public=STRANGER.public_key().public_bytes_raw())
    report = verify(other, [note(SIZE, heads)])
    assert "does not begin as it must" in said(report)
    foreign, heads = chain(map(record, range(1, SIZE + 1)), writer="v")
    assert "it belongs to the log of v" in said(verify(foreign, [note(SIZE, heads)]))


def test_a_log_written_to_while_it_is_read_is_intact_when_its_new_records_are_sealed() -> None:
    def following(read: int, later: list[Note]) -> LogReport:
        check = LogCheck("w", [PUBLIC], [note(3)])
        for number, line in enumerate(LINES[:read], start=1):
            check.add(LogLine("w/00000001.jsonl", number, line))
        return check.conclude(later)

    assert following(5, [note(5), note(4)]).is_intact
    assert following(5, [note(6), note(7)]).is_intact
    assert "no signed checkpoint covers it" in said(following(5, [note(3), note(4)]))
    assert "truncated" in said(following(2, [note(3)]))
    _, other = chain(map(record, [9] * SIZE))
    assert "rewritten or forked" in said(following(5, [note(5, other)]))


def test_cuts_that_the_writer_owned_up_to_are_reported() -> None:
    lines, heads = chain([record(1), encode_record(CutRecord(1002.0, 40, "00000001-300.0.torn"))])
    report = verify(lines, [note(2, heads)])
    assert report.is_intact
    assert report.cuts == ("00000001-300.0.torn",)


def test_whole_records_of_another_version_are_proven_and_counted() -> None:
    later = record(2).replace(b'"v":1', b'"v":999')
    lines, heads = chain([record(1), later, record(3)])
    report = verify(lines, [note(3, heads)])
    assert report.is_intact
    assert (report.records, report.unknown) == (3, 1)


def test_endless_damage_is_counted_but_not_described_without_end() -> None:
    report = verify([b"junk\n"] * (MAX_DAMAGES * 2))
    assert len(report.damages) == MAX_DAMAGES
    assert report.damage_count >= MAX_DAMAGES * 2
