from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid, SignedByAnother
from aegis_authz.evidence.log_proof import consistency_proof, inclusion_proof, read_head, sign_head
from aegis_authz.evidence.tree import MerkleTree

KEY, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8))
PUBLIC = KEY.public_key().public_bytes_raw()
LINES = [b"line %d\n" % number for number in range(5)]
TREE = MerkleTree()
for entry in LINES:
    TREE.add(entry)
HEAD = sign_head("authz-0", TREE, KEY)


def test_a_head_is_a_checkpoint_of_the_tree() -> None:
    origin, size, root, blank, signature, end = HEAD.note.decode().split("\n")
    assert (origin, size, blank, end) == ("aegis/authz-0/tree", "5", "", "")
    assert base64.b64decode(root) == TREE.root()
    assert signature.startswith("\u2014 aegis/authz-0/tree ")
    assert read_head(HEAD.note, [PUBLIC]) == HEAD


def test_a_head_that_was_altered_or_is_of_a_stranger_is_not_read() -> None:
    for at in range(len(HEAD.note)):
        altered = bytearray(HEAD.note)
        altered[at] ^= 1
        with pytest.raises(CheckpointInvalid):
            read_head(bytes(altered), [PUBLIC])
    with pytest.raises(SignedByAnother):
        read_head(sign_head("authz-0", TREE, STRANGER).note, [PUBLIC])


def test_a_proof_has_the_form_of_a_tlog_proof() -> None:
    proof = inclusion_proof(LINES[3], 3, TREE.inclusion(3), HEAD).decode()
    first, extra, index, *hashes, blank = proof.removesuffix(HEAD.note.decode()).splitlines()
    assert (first, index, blank) == ("c2sp.org/tlog-proof@v1", "index 3", "")
    assert base64.b64decode(extra.removeprefix("extra ")) == LINES[3]
    assert [base64.b64decode(line) for line in hashes] == TREE.inclusion(3)
    assert proof.endswith(HEAD.note.decode())


def test_growth_is_proven_as_a_witness_is_asked() -> None:
    first, *hashes, blank = consistency_proof(3, TREE.consistency(3), HEAD).decode().split("\naegis/")[0].split("\n")
    assert (first, blank) == ("old 3", "")
    assert [base64.b64decode(line) for line in hashes] == TREE.consistency(3)
