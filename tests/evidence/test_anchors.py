from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.anchors import (
    AnchorInvalid,
    ProvenAnchors,
    encode_anchor,
    prove_anchors,
    read_anchor,
    verified_head,
)
from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, sign_checkpoint
from aegis_authz.evidence.log_report import LogLine

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)


def head(size: int, writer: str = "authz-0", place: str = "gw-0") -> Head:
    note = sign_checkpoint(Checkpoint(writer, size, bytes([size]) * 32), KEY, PUBLIC)
    return Head(place, writer, "ab" * 32, size, note.decode("utf-8"))


def anchored(*heads: Head) -> list[bytes]:
    lines: list[bytes] = []
    number, previous = 0, FIRST_PREVIOUS
    for each in heads:
        anchor = Anchor.after(number, previous, Epoch(1000.0 + number), each)
        lines.append(encode_anchor(anchor))
        number, previous = anchor.number, anchor.hash
    return lines


def prove(lines: list[bytes]) -> ProvenAnchors:
    return prove_anchors([LogLine("anchors.jsonl", at, raw) for at, raw in enumerate(lines, start=1)], [PUBLIC])


LINES = anchored(head(3), head(5, "authz-1"), head(8), head(9, place="gw-1"))


def test_an_anchor_is_read_as_it_was_written() -> None:
    anchor = Anchor.after(4, "c" * 64, Epoch(12.25), head(3))
    assert read_anchor(encode_anchor(anchor)) == anchor


def test_a_chain_of_anchors_proves_the_checkpoints_of_each_log() -> None:
    proven = prove(LINES)
    assert not proven.faults
    assert [(known.place, known.writer, known.seal.checkpoint.size) for known in proven.seals] == [
        ("gw-0", "authz-0", 3),
        ("gw-0", "authz-1", 5),
        ("gw-0", "authz-0", 8),
        ("gw-1", "authz-0", 9),
    ]
    assert proven.seals[0].seal.file == "anchor 1 of 1970-01-01T00:16:40Z"
    assert [known.seal.checkpoint.size for known in proven.at(["gw-1"]).seals] == [9]
    assert proven.at([]) == proven


def test_anchors_that_were_removed_or_moved_are_missed_and_the_others_are_read_all_the_same() -> None:
    for lines in (LINES[1:], [LINES[0], *LINES[2:]], [LINES[1], LINES[0], *LINES[2:]]):
        proven = prove(lines)
        assert "anchors were removed or moved" in proven.faults[0]
        assert len(proven.seals) == len(lines)


def test_a_line_that_is_no_anchor_is_named_and_the_others_are_read_all_the_same() -> None:
    proven = prove([LINES[0], b"{}\n", *LINES[2:]])
    assert proven.faults[0].startswith("line 2 is no anchor: ")
    assert len(proven.seals) == 3


def test_an_anchor_that_is_cut_off_is_none() -> None:
    with pytest.raises(AnchorInvalid, match="cut off"):
        read_anchor(LINES[0][:-1])


@pytest.mark.parametrize("at", [-1.0, 253_402_300_800.0, 1e300])
def test_an_anchor_of_no_moment_is_none(at: float) -> None:
    line = encode_anchor(Anchor.after(0, FIRST_PREVIOUS, Epoch(at), head(1)))
    assert prove([line]).faults == ("line 1 is no anchor: at is no moment",)


def foreign_head() -> Head:
    public = STRANGER.public_key().public_bytes_raw()
    signed = sign_checkpoint(Checkpoint("authz-0", 3, bytes(32)), STRANGER, public)
    return replace(head(3), note=signed.decode("utf-8"))


def test_a_checkpoint_of_a_foreign_key_proves_nothing_and_is_no_sign_of_tampering() -> None:
    assert verified_head(foreign_head(), [PUBLIC]) is None
    proven = prove(anchored(foreign_head(), head(5)))
    assert (proven.faults, proven.foreign) == ((), (("gw-0", "authz-0"),))
    assert [known.seal.checkpoint.size for known in proven.seals] == [5]
    assert proven.at(["gw-1"]).foreign == proven.of("authz-1").foreign == ()


def test_a_head_that_is_not_what_its_checkpoint_says_is_a_fault() -> None:
    for strange in (replace(head(3), size=4), replace(head(3), writer="authz-1")):
        with pytest.raises(CheckpointInvalid):
            verified_head(strange, [PUBLIC])
        assert prove(anchored(strange)).faults == ("line 1: its checkpoint is of another log, or of another size",)


@given(st.integers(0, len(LINES[1]) - 2), st.integers(1, 255))
def test_no_byte_of_an_anchor_can_be_altered_unseen(at: int, flip: int) -> None:
    altered = bytearray(LINES[1])
    altered[at] ^= flip
    assert prove([LINES[0], bytes(altered), *LINES[2:]]).faults
