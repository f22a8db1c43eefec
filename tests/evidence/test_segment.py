from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.record import RedactionRecord, SealRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import encode_record, genesis, link
from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, sign_checkpoint
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.notes import Note
from aegis_authz.evidence.segment import segment_number, sign_seal, verify_seal
from aegis_authz.evidence.verify import LogCheck

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
NOW = Epoch(1000.0)
Change = Callable[[SealRecord], SealRecord]


def problems(segments: Sequence[tuple[int, int]], change: Change = lambda seal: seal, behind: int = 0) -> list[str]:
    """What is wrong with a log of these segments, each a number and how many records it has.

    All but the last are sealed, the first seal changed; `behind` records stand behind each seal, where none belongs.
    """
    lines: list[LogLine] = []
    head, seq = genesis("w", PUBLIC), 0
    for number, count in segments:
        first, body = seq + 1, b""
        file = f"w/{number:08d}.jsonl"
        records = [encode_record(RedactionRecord("d", 1.0, "request", {}, "done"))] * count
        for position in range(count + (1 + behind if (number, count) != segments[-1] else 0)):
            seq += 1
            if position == count:
                extent, digest = (first, seq - 1), hashlib.sha256(body).hexdigest()
                seal = sign_seal(NOW, "w", number, extent, digest, KEY)
                records.append(encode_record(change(seal) if number == 1 else seal))
            raw, head = link("w", seq, head, records[min(position, count)] if position <= count else records[0])
            lines.append(LogLine(file, position + 1, raw))
            body += raw
    note = Note("w/checkpoint-a.note", sign_checkpoint(Checkpoint("w", seq, head), KEY, PUBLIC))
    check = LogCheck("w", [PUBLIC], [note])
    for line in lines:
        check.add(line)
    return [damage.what for damage in check.conclude().damages]


def test_segments_that_end_in_their_seals_are_intact() -> None:
    assert problems([(1, 3), (2, 1), (3, 2)]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda seal: replace(seal, segment=2),
        lambda seal: replace(seal, first=2),
        lambda seal: replace(seal, last=2),
        lambda seal: replace(seal, digest="0" * 64),
    ],
    ids=["segment", "first", "last", "digest"],
)
def test_a_seal_of_another_segment_is_named(change: Change) -> None:
    assert problems([(1, 3), (2, 1)], change) == ["it seals another segment than the one before it"]


def test_a_seal_of_a_stranger_is_not_trusted() -> None:
    def by_a_stranger(seal: SealRecord) -> SealRecord:
        return sign_seal(NOW, "w", 1, (seal.first, seal.last), seal.digest, STRANGER)

    (problem,) = problems([(1, 3), (2, 1)], by_a_stranger)
    assert "its seal cannot be trusted" in problem
    assert "another key" in problem


def test_a_segment_that_does_not_follow_by_its_number_is_named() -> None:
    assert problems([(1, 3), (3, 1)]) == ["segment 3 stands where segment 2 belongs"]


def test_lines_behind_a_seal_in_its_own_file_are_named() -> None:
    assert "it stands behind the seal of its segment" in problems([(1, 2), (2, 1)], behind=1)


def test_a_record_of_no_seal_ends_no_segment() -> None:
    def unsealed(seal: SealRecord) -> SealRecord:
        return replace(seal, signature="")

    assert "malformed" in problems([(1, 2), (2, 1)], unsealed)[0]


@pytest.mark.parametrize("text", ["", "é" * 64, "0" * 63 + "\n"])
def test_a_seal_whose_words_are_none_is_refused_and_not_a_crash(text: str) -> None:
    seal = sign_seal(NOW, "w", 1, (1, 2), "0" * 64, KEY)
    for altered in (replace(seal, digest=text), replace(seal, signature=text)):
        with pytest.raises(CheckpointInvalid, match="malformed"):
            verify_seal("w", altered, PUBLIC)


def test_the_number_of_a_segment_is_in_the_name_of_its_file() -> None:
    assert [segment_number(name) for name in ("00000012.jsonl", "records/w/00000003.jsonl", "w/x.jsonl", "")] == [
        12, 3, 0, 0,
    ]  # fmt: skip
