from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, read_checkpoint, sign_checkpoint, split_notes

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
CHECKPOINT = Checkpoint("authz-0", 20852163, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, KEY, PUBLIC)


def test_a_checkpoint_is_a_signed_note_of_c2sp() -> None:
    lines = NOTE.decode("utf-8").split("\n")
    assert lines[:4] == ["aegis/authz-0", "20852163", base64.b64encode(bytes(range(32))).decode(), ""]
    assert lines[4].startswith("— aegis/authz-0 ")
    assert lines[5:] == [""]
    assert len(base64.b64decode(lines[4].split(" ")[2])) == 4 + 64


def test_a_checkpoint_reads_back_with_its_key() -> None:
    assert read_checkpoint(NOTE, PUBLIC) == CHECKPOINT


def test_a_checkpoint_of_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(CheckpointInvalid, match="another key"):
        read_checkpoint(NOTE, other)


def test_a_checkpoint_signed_in_another_name_is_refused() -> None:
    other = sign_checkpoint(Checkpoint("authz-1", 20852163, bytes(range(32))), KEY, PUBLIC)
    mixed = NOTE.split(b"\n\n")[0] + b"\n\n" + other.split(b"\n\n")[1]
    with pytest.raises(CheckpointInvalid, match="another name"):
        read_checkpoint(mixed, PUBLIC)


@given(at=st.integers(0, len(NOTE) - 1), mask=st.integers(1, 255))
def test_any_flipped_byte_of_a_checkpoint_is_refused(at: int, mask: int) -> None:
    spoiled = bytearray(NOTE)
    spoiled[at] ^= mask
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(bytes(spoiled), PUBLIC)


@pytest.mark.parametrize("note", [b"", NOTE[:-1], NOTE + b"\n", NOTE + NOTE, b"\xff" * 200])
def test_what_is_not_one_whole_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(note, PUBLIC)


def test_a_file_of_several_checkpoints_is_taken_apart() -> None:
    other = sign_checkpoint(Checkpoint("authz-1", 0, bytes(32)), KEY, PUBLIC)
    assert split_notes(NOTE + other) == [NOTE, other]


@pytest.mark.parametrize("data", [b"", b"\n", NOTE[:-1], NOTE + b"x\n"])
def test_a_file_of_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(CheckpointInvalid):
        split_notes(data)
