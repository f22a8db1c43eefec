from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, read_checkpoint, sign_checkpoint
from aegis_authz.evidence.roster import MOST_WRITERS, Roster, RosterInvalid, read_roster, sign_roster

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
ROSTER = Roster(("authz-0", "authz-1"), 0)
NOTE = sign_roster(ROSTER, KEY, PUBLIC)


def test_a_roster_reads_as_it_was_signed() -> None:
    assert read_roster(NOTE, PUBLIC) == ROSTER
    assert read_roster(sign_roster(Roster(("a",), 12), KEY, PUBLIC), PUBLIC) == Roster(("a",), 12)


@given(at=st.integers(0, len(NOTE) - 1), mask=st.integers(1, 255))
def test_any_flipped_byte_is_found(at: int, mask: int) -> None:
    spoiled = bytearray(NOTE)
    spoiled[at] ^= mask
    with pytest.raises(RosterInvalid):
        read_roster(bytes(spoiled), PUBLIC)


def test_a_writer_that_was_taken_out_is_found() -> None:
    with pytest.raises(RosterInvalid, match="does not verify"):
        read_roster(NOTE.replace(b"authz-1\n", b""), PUBLIC)


def test_a_roster_of_another_key_is_none_of_this() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    note = sign_roster(ROSTER, stranger, stranger.public_key().public_bytes_raw())
    with pytest.raises(RosterInvalid, match="the roster is signed with another key"):
        read_roster(note, PUBLIC)


def test_a_checkpoint_is_no_roster_and_a_roster_no_checkpoint() -> None:
    with pytest.raises(RosterInvalid):
        read_roster(sign_checkpoint(Checkpoint("authz-0", 0, bytes(32)), KEY, PUBLIC), PUBLIC)
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(NOTE, PUBLIC)


def test_a_writer_is_entered_once_and_in_order() -> None:
    assert ROSTER.with_writer("a").with_writer("authz-1").writers == ("a", "authz-0", "authz-1")


def test_a_roster_is_bounded() -> None:
    full = Roster(tuple(f"w{number:04d}" for number in range(MOST_WRITERS)), 0)
    assert read_roster(sign_roster(full, KEY, PUBLIC), PUBLIC) == full
    with pytest.raises(RosterInvalid, match="and no more"):
        full.with_writer("z")
