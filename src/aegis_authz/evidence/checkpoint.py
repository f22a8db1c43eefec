"""Signed checkpoints: how many records a log holds, and the hash of the last one.

A checkpoint is a signed note (C2SP signed-note, tlog-checkpoint) of five lines: origin `aegis/<writer>`,
size, base64 head, an empty line, and an Ed25519 signature line. The head is that of a hash chain and not the
root of a Merkle tree; everything else is as specified there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ORIGIN = "aegis/"
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_LINES = 5
_NOTE = re.compile(
    "(?P<text>aegis/(?P<writer>[A-Za-z0-9][A-Za-z0-9._-]{0,63})\n(?P<size>0|[1-9][0-9]{0,17})\n(?P<head>[A-Za-z0-9+/]{43}=)\n)"
    "\n\u2014 (?P<name>[^ +\n]+) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)


class CheckpointInvalid(ValueError):
    """The note is no checkpoint of this log; the message says why in words for a person."""


class SignedByAnother(CheckpointInvalid):
    """The note is one of another key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of one writer's log: `size` records, of which the last has the hash `head` (32 raw bytes)."""

    writer: str
    size: int
    head: bytes

    def text(self) -> str:
        """The signed text of the note."""
        return f"{_ORIGIN}{self.writer}\n{self.size}\n{base64.b64encode(self.head).decode('ascii')}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey, public_key: bytes) -> bytes:
    """The signed note. `public_key` is the raw public half of `key`."""
    return sign_text(checkpoint.text(), _ORIGIN + checkpoint.writer, key, public_key)


def sign_text(text: str, name: str, key: Ed25519PrivateKey, public_key: bytes) -> bytes:
    """`text`, of whole lines of ASCII, as a note signed in that name (C2SP signed-note)."""
    signature = _key_id(name, public_key) + key.sign(text.encode("ascii"))
    return f"{text}\n\u2014 {name} {base64.b64encode(signature).decode('ascii')}\n".encode()


def verify_text(text: str, name: str, signature_text: str, public_key: bytes) -> None:
    """Verify the signature (base64, with its key id) of a note's text in that name.

    Raises SignedByAnother for another key's, CheckpointInvalid.
    """
    signature = _decode(signature_text)
    if signature[:_KEY_ID_BYTES] != _key_id(name, public_key):
        raise SignedByAnother("the checkpoint is signed with another key")
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature[_KEY_ID_BYTES:], text.encode("ascii"))
    except InvalidSignature as fault:
        raise CheckpointInvalid("the checkpoint's signature does not verify") from fault


def read_checkpoint(note: bytes, public_key: bytes) -> Checkpoint:
    """The checkpoint in a note signed by `public_key` (raw).

    Raises CheckpointInvalid when the note differs in any byte from what that key's owner signed.
    """
    match = _match(note)
    name = match["name"]
    if name != _ORIGIN + match["writer"]:
        raise CheckpointInvalid("the checkpoint is signed in another name")
    verify_text(match["text"], name, match["signature"], public_key)
    return Checkpoint(match["writer"], int(match["size"]), _decode(match["head"]))


def split_notes(data: bytes) -> list[bytes]:
    """Take a file of several checkpoint notes, one after the other, apart. Raises CheckpointInvalid."""
    lines = data.split(b"\n")
    if lines[-1] or not data or (len(lines) - 1) % _LINES:
        raise CheckpointInvalid("not a file of checkpoints")
    return [b"\n".join(lines[at : at + _LINES]) + b"\n" for at in range(0, len(lines) - 1, _LINES)]


def _match(note: bytes) -> re.Match[str]:
    try:
        match = _NOTE.fullmatch(note.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise CheckpointInvalid("the checkpoint is not text") from fault
    if match is None:
        raise CheckpointInvalid("not a checkpoint")
    return match


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise CheckpointInvalid("the checkpoint's base64 is malformed") from fault
    if base64.b64encode(data).decode("ascii") != text:
        raise CheckpointInvalid("the checkpoint's base64 is not canonical")
    return data


@lru_cache(maxsize=16)  # of a writer it is the same in every checkpoint
def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode("ascii") + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]
