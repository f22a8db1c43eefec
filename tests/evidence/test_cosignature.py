"""Keys of witnesses, and which signature lines are theirs."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.cosignature import (
    WitnessKey,
    WitnessKeyInvalid,
    cosigned,
    log_verifier_key,
    read_cosigned,
)
from aegis_authz.evidence.log_proof import sign_head
from aegis_authz.evidence.tree import MerkleTree
from tests.support.fake_witness import FakeWitness

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 9))
KEYS = [KEY.public_key().public_bytes_raw()]
WITNESS = FakeWitness("witness.example/w1", OTHER, {})
TREE = MerkleTree()
TREE.add(b"line\n")
HEAD = sign_head("w", TREE, KEY)
TEXT = HEAD.note.decode().partition("\n\n")[0] + "\n"


def witness() -> WitnessKey:
    return WitnessKey.parse(WITNESS.verifier_key)


def test_a_verifier_key_that_a_real_witness_printed_is_read() -> None:
    key = WitnessKey.parse("witness.example/w1+c3a95efa+BKjbfq768W/y/MKCNk6gUQDmRWBZEj3on0hB+8F7PbEJ")
    assert (key.name, len(key.public_key), key.key_id.hex()) == ("witness.example/w1", 32, "c3a95efa")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("witness.example/w1", "no verifier key"),
        ("witness.example/w1+c3a95efb+BKjbfq768W/y/MKCNk6gUQDmRWBZEj3on0hB+8F7PbEJ", "its id is not"),
        (log_verifier_key("w", KEYS[0]), "of type 1"),
    ],
)
def test_a_text_that_is_none_says_why(text: str, words: str) -> None:
    with pytest.raises(WitnessKeyInvalid, match=words):
        WitnessKey.parse(text)


def test_a_head_is_read_with_the_cosignatures_of_the_witnesses_that_are_asked_for() -> None:
    note = HEAD.note + WITNESS.cosignature(TEXT).encode()
    found = read_cosigned(note, KEYS, [witness()])
    assert (found.head, found.root, found.note()) == (HEAD, TREE.root(), note)
    assert [(each.witness, each.at) for each in found.cosignatures] == [(witness(), WITNESS.now)]
    assert read_cosigned(note, KEYS, []).cosignatures == ()


def test_lines_of_others_and_lines_that_do_not_verify_count_for_nothing() -> None:
    good = WITNESS.cosignature(TEXT)
    data = bytearray(base64.b64decode(good.split(" ")[2]))
    data[11] ^= 1  # the time
    later = f"\u2014 {WITNESS.name} {base64.b64encode(data).decode()}\n"
    stranger = FakeWitness(WITNESS.name, KEY, {}).cosignature(TEXT)
    of_another_head = WITNESS.cosignature(TEXT.replace("\n1\n", "\n2\n"))
    lines = [
        later,
        stranger,
        of_another_head,
        good.replace(WITNESS.name, "witness.example/w2"),
        good.rstrip("\n"),
        "x\n",
    ]
    assert cosigned(HEAD, lines, [witness()]).cosignatures == ()
    assert len(cosigned(HEAD, [*lines, good, good], [witness()]).cosignatures) == 1


def test_of_two_cosignatures_of_a_witness_the_newer_counts() -> None:
    newer = FakeWitness(WITNESS.name, OTHER, {}, now=WITNESS.now + 5)
    lines = [newer.cosignature(TEXT), WITNESS.cosignature(TEXT)]
    assert [each.at for each in cosigned(HEAD, lines, [witness()]).cosignatures] == [WITNESS.now + 5]


@pytest.mark.parametrize("damage", [b"", b"x", HEAD.note[:-1], HEAD.note.replace(b"\n1\n", b"\n2\n")])
def test_a_head_that_is_none_of_this_log_is_refused(damage: bytes) -> None:
    with pytest.raises(CheckpointInvalid):
        read_cosigned(damage, KEYS, [witness()])
