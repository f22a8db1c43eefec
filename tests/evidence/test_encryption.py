"""The signed head of an encrypted segment, and the index of its records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import encode_record, genesis, link
from aegis_authz.evidence.encryption import (
    EncryptedSegment,
    EncryptionInvalid,
    frame_context,
    index_entries,
    index_line,
    read_head,
    sign_encryption,
    signer_of,
    wrap_context,
)
from aegis_authz.evidence.segment import sign_seal

KEY, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8))
PUBLIC = KEY.public_key().public_bytes_raw()
PREV = genesis("w", PUBLIC)
CONTENT = EncryptedSegment(
    "w", 3, 7, 8, PREV, 900, 120, "a" * 64, 400, "b" * 64, "vault:transit/aegis", "vault:v1:c2VhbGVk"
)


def lines() -> list[bytes]:
    """A record and a seal."""
    record = encode_record(RedactionRecord("0190-1", 1000.0, "request", {"us_ssn": 1}, "done"))
    first, head = link("w", 7, PREV, record)
    seal = encode_record(sign_seal(Epoch(1000.0), "w", 3, (7, 7), "c" * 64, KEY))
    return [first, link("w", 8, head, seal)[0]]


def test_a_head_is_read_as_it_was_signed_whatever_follows_it() -> None:
    note = sign_encryption(CONTENT, KEY)
    head = read_head(note + b"\xff\x00 the index and the bodies")
    assert head.content == CONTENT
    assert head.length == len(note)
    assert signer_of(head, [STRANGER.public_key().public_bytes_raw(), PUBLIC]) == PUBLIC
    assert signer_of(head, [STRANGER.public_key().public_bytes_raw()]) is None


def test_a_head_that_was_altered_is_none_of_the_key_that_signed_it() -> None:
    note = sign_encryption(CONTENT, KEY)
    for at in range(len(note)):
        altered = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        try:
            assert signer_of(read_head(altered), [PUBLIC]) is None
        except EncryptionInvalid:
            continue


@pytest.mark.parametrize("data", [b"", b"aegis-encrypted-segment\n", b'{"writer":"w"}\n', b"\x00" * 5000])
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(EncryptionInvalid, match="does not begin as an encrypted segment does"):
        read_head(data)


def test_of_a_call_the_index_holds_the_hash_alone_and_a_seal_as_it_is() -> None:
    raw, seal = lines()
    index = index_line(raw) + index_line(seal)
    assert index == raw[-67:-3] + b"\n" + seal
    first, last = index_entries(CONTENT, index)
    assert (first.link.seq, first.link.prev, first.raw) == (7, PREV, b"")
    assert (last.link.seq, last.link.prev, last.raw) == (8, first.link.computed, seal)


def test_an_index_of_another_number_of_records_or_another_form_is_refused() -> None:
    raw, seal = lines()
    index = index_line(raw) + index_line(seal)
    with pytest.raises(EncryptionInvalid, match="not as many records"):
        list(index_entries(replace(CONTENT, last=9), index))
    with pytest.raises(EncryptionInvalid, match="record 8 of its index"):
        list(index_entries(CONTENT, index_line(raw) + b"nothing\n"))


def test_what_is_encrypted_is_bound_to_its_place() -> None:
    places = {frame_context("w", 1, 0, True), frame_context("w", 1, 0, False), frame_context("w", 1, 1, True)}
    places |= {frame_context("w", 2, 0, True), frame_context("v", 1, 0, True)}
    places |= {wrap_context("w", 1), wrap_context("w", 2), wrap_context("v", 1)}
    assert len(places) == 8
