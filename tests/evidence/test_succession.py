"""A key of records hands over by its own signature, which no other key and no other wording has."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.succession import SuccessionInvalid, path_between, read_succession, sign_succession

FIRST, SECOND, THIRD, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3, 4))


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def test_a_succession_is_read_back_with_both_keys() -> None:
    step = sign_succession(FIRST, raw(SECOND))
    assert (step.former, step.successor) == (raw(FIRST), raw(SECOND))
    assert read_succession(step.note) == step


def test_no_changed_note_is_one() -> None:
    note = sign_succession(FIRST, raw(SECOND)).note
    for position in range(len(note)):
        with pytest.raises(SuccessionInvalid):
            read_succession(note[:position] + chr(ord(note[position]) ^ 1) + note[position + 1 :])
    for changed in ("", note + "\n", note[:-1], note.replace("succession", "checkpoint"), note * 2):
        with pytest.raises(SuccessionInvalid):
            read_succession(changed)


def test_a_foreign_key_vouches_for_itself_alone() -> None:
    forged = sign_succession(FOREIGN, raw(SECOND)).note
    own, theirs = (base64.b64encode(raw(key)).decode() for key in (FIRST, FOREIGN))
    with pytest.raises(SuccessionInvalid, match="did not sign"):
        read_succession(forged.replace(theirs, own))


def test_keys_are_led_to_step_by_step() -> None:
    one, two = sign_succession(FIRST, raw(SECOND)), sign_succession(SECOND, raw(THIRD))
    assert path_between((one, two), raw(FIRST), raw(THIRD)) == (one, two)
    assert path_between((one, two), raw(THIRD), raw(THIRD)) == ()
    assert path_between((one, two), raw(THIRD), raw(FIRST)) is None
    assert path_between((one, two), raw(FOREIGN), raw(THIRD)) is None
    circle = sign_succession(SECOND, raw(FIRST))
    assert path_between((one, circle), raw(FIRST), raw(THIRD)) is None
