"""Proofs of single records and of a log's growth, in the forms of C2SP: tlog-checkpoint, tlog-proof and, for growth,
the body that tlog-witness takes.

The signed head of the tree over a log's lines is a checkpoint of the origin `aegis/<writer>/tree`: unlike the
checkpoints beside a log, which sign the hash of the last record, it signs the root, as others expect it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid, SignedByAnother, sign_text, verify_text
from aegis_authz.evidence.tree import MerkleTree

_NOTE = re.compile(
    "(?P<text>(?P<origin>aegis/[A-Za-z0-9][A-Za-z0-9._-]{0,63}/tree)\n(?P<size>[1-9][0-9]{0,17})\n[A-Za-z0-9+/]{43}=\n)"
    "\n\u2014 (?P<name>[^ +\n]+) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How many lines the tree over the log of `writer` has, and the note that signs its root."""

    writer: str
    size: int
    note: bytes


def sign_head(writer: str, tree: MerkleTree, key: Ed25519PrivateKey) -> TreeHead:
    """The signed head of the tree over the log of `writer`."""
    origin = f"aegis/{writer}/tree"
    text = f"{origin}\n{tree.size}\n{_base64(tree.root())}\n"
    return TreeHead(writer, tree.size, sign_text(text, origin, key, key.public_key().public_bytes_raw()))


def read_head(note: bytes, keys: Sequence[bytes]) -> TreeHead:
    """The head in a note that one of the raw public `keys` signed. Raises CheckpointInvalid."""
    match = _NOTE.fullmatch(note.decode("utf-8", "replace"))
    if match is None or match["name"] != match["origin"]:
        raise CheckpointInvalid("it is no head of a tree over a log")
    for key in keys:
        try:
            verify_text(match["text"], match["name"], match["signature"], key)
        except SignedByAnother:
            continue
        return TreeHead(match["origin"].split("/")[1], int(match["size"]), note)
    raise SignedByAnother("it is signed with another key")


def inclusion_proof(line: bytes, index: int, path: Sequence[bytes], head: TreeHead) -> bytes:
    """A tlog-proof that `line` is the leaf `index`; the line is in it as its extra data."""
    hashes = "".join(f"{_base64(entry)}\n" for entry in path)
    return f"c2sp.org/tlog-proof@v1\nextra {_base64(line)}\nindex {index}\n{hashes}\n".encode() + head.note


def consistency_proof(former: int, proof: Sequence[bytes], head: TreeHead) -> bytes:
    """What shows that the tree of `former` lines is the beginning of that of `head`, as a witness is asked by it."""
    hashes = "".join(f"{_base64(entry)}\n" for entry in proof)
    return f"old {former}\n{hashes}\n".encode() + head.note


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
