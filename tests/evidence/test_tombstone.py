from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.evidence.tombstone import (
    ForeignTombstone,
    Tombstone,
    TombstoneInvalid,
    read_tombstone,
    sign_tombstone,
)

FIRST, SECOND, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8, 9))
KEYS = [key.public_key().public_bytes_raw() for key in (FIRST, SECOND)]
TOMBSTONE = Tombstone(
    writer="authz-0",
    segment=3,
    size=30,
    head=bytes(range(32)),
    first="ab" * 32,
    at=1_800_000_000,
    until=1_700_000_000,
    spans=((0, KEYS[0]), (12, KEYS[1])),
    tree=(bytes(32),) * 4,
)
NOTE = sign_tombstone(TOMBSTONE, SECOND)


def test_a_tombstone_reads_back_as_it_was_signed() -> None:
    assert read_tombstone(NOTE, "authz-0", KEYS) == TOMBSTONE
    assert TOMBSTONE.sentence() == (
        "records 1 to 30, the last of them of 2023-11-14, were retired on 2027-01-15: a tombstone is there"
    )


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 7))
def test_a_tombstone_of_which_any_bit_was_flipped_is_not_believed(at: int, bit: int) -> None:
    altered = bytearray(NOTE)
    altered[at] ^= 1 << bit
    with pytest.raises(TombstoneInvalid):
        read_tombstone(bytes(altered), "authz-0", KEYS)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_tombstone_are_refused(note: bytes) -> None:
    with pytest.raises(TombstoneInvalid, match="not a tombstone"):
        read_tombstone(note, "authz-0", KEYS)


def test_a_tombstone_of_another_log_is_refused() -> None:
    with pytest.raises(TombstoneInvalid, match="of the log of authz-0"):
        read_tombstone(NOTE, "authz-1", KEYS)


def test_a_stranger_cannot_make_a_tombstone() -> None:
    with pytest.raises(ForeignTombstone, match="another key") as fault:
        read_tombstone(sign_tombstone(TOMBSTONE, STRANGER), "authz-0", KEYS)
    assert fault.value.tombstone == TOMBSTONE


def test_a_key_that_had_handed_over_by_then_cannot_make_a_tombstone() -> None:
    with pytest.raises(TombstoneInvalid, match="handed over"):
        read_tombstone(sign_tombstone(TOMBSTONE, FIRST), "authz-0", KEYS)


def test_the_log_goes_on_with_a_key_that_was_given() -> None:
    assert read_tombstone(NOTE, "authz-0", KEYS[1:]) == TOMBSTONE
    with pytest.raises(TombstoneInvalid, match="not among those given"):
        read_tombstone(sign_tombstone(replace(TOMBSTONE, spans=((0, bytes(32)),)), FIRST), "authz-0", KEYS)


@pytest.mark.parametrize("begins", [(1, 12), (0, 31), (0, 0), (12, 0)])
def test_keys_that_are_not_in_order_are_refused(begins: tuple[int, int]) -> None:
    spans = tuple(zip(begins, KEYS, strict=True))
    with pytest.raises(TombstoneInvalid, match="not in order"):
        read_tombstone(sign_tombstone(replace(TOMBSTONE, spans=spans), SECOND), "authz-0", KEYS)


def test_a_tombstone_has_as_many_subtrees_as_its_records_make() -> None:
    note = sign_tombstone(replace(TOMBSTONE, size=31), SECOND)
    with pytest.raises(TombstoneInvalid, match="not as many subtrees"):
        read_tombstone(note, "authz-0", KEYS)


def test_a_time_that_is_no_moment_is_refused() -> None:
    note = sign_tombstone(replace(TOMBSTONE, at=10**17), SECOND)
    with pytest.raises(TombstoneInvalid, match="no moments"):
        read_tombstone(note, "authz-0", KEYS)
