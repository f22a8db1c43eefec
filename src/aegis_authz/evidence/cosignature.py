"""Cosignatures of witnesses on the head of the tree over a log (C2SP tlog-cosignature, its Ed25519 form).

A witness is known by its verifier key (C2SP signed-note): name, key id, and type 0x04 with the raw Ed25519 key. What it
signs says: at that time this was the largest tree of the log that it had seen, and all before are beginnings of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.log_proof import TreeHead, read_head

_COSIGNATURE = b"\x04"
_ED25519 = b"\x01"
_KEY_BYTES = 32
_END_OF_TIME = 253_402_300_799
"""Seconds: the end of the year 9999."""
_VERIFIER_KEY = re.compile(r"(?P<name>[^ +\n]{1,255})\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]{44})")
_LINE = re.compile("\u2014 (?P<name>[^ +\n]{1,255}) (?P<signature>[A-Za-z0-9+/]{100,104}={0,2})\n")
_SIGNED = re.compile("(?P<text>[^\n]+\n[^\n]+\n[^\n]+\n)\n(?P<lines>(?:\u2014 [^\n]+\n)+)")


class WitnessKeyInvalid(ValueError):
    """A text is no key of a witness; the message says why."""


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness by its name and its raw public key."""

    name: str
    public_key: bytes

    @staticmethod
    def parse(text: str) -> WitnessKey:
        """The key in a text of the form `name+id+key`. Raises WitnessKeyInvalid."""
        match = _VERIFIER_KEY.fullmatch(text)
        material = base64.b64decode(match["key"]) if match is not None else b""
        if match is None or len(material) != len(_COSIGNATURE) + _KEY_BYTES:
            raise WitnessKeyInvalid(f"{text!r} is no verifier key: name+id+key")
        if material[:1] != _COSIGNATURE:
            raise WitnessKeyInvalid(f"{text!r} is a key of type {material[0]}: that of Ed25519 cosignatures is 4")
        key = WitnessKey(match["name"], material[1:])
        if key.key_id.hex() != match["id"]:
            raise WitnessKeyInvalid(f"{text!r}: its id is not that of its name and key")
        return key

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature names it."""
        return hashlib.sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.public_key).digest()[:4]


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A signature line that was verified: whose, when it was made (whole seconds since the epoch), and the line."""

    witness: WitnessKey
    at: int
    line: str


@dataclass(frozen=True, slots=True)
class CosignedHead:
    """The head of a tree, its root (raw), and the cosignatures on it that verify, of each witness one."""

    head: TreeHead
    root: bytes
    cosignatures: tuple[Cosignature, ...]

    def note(self) -> bytes:
        """The head with its cosignatures, as a note that others read."""
        return self.head.note + "".join(each.line for each in self.cosignatures).encode("utf-8")


def log_verifier_key(writer: str, public_key: bytes) -> str:
    """The key of the tree over a log as witnesses are given it (C2SP signed-note)."""
    name = f"aegis/{writer}/tree"
    material = _ED25519 + public_key
    key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(material).decode('ascii')}"


def read_cosigned(note: bytes, keys: Sequence[bytes], witnesses: Iterable[WitnessKey]) -> CosignedHead:
    """The head in a note that one of the raw public `keys` signed, and what these witnesses signed of it.

    Lines of others, and lines that do not verify, count for nothing. Raises CheckpointInvalid.
    """
    match = _SIGNED.fullmatch(note.decode("utf-8", "replace"))
    if match is None:
        raise CheckpointInvalid("it is no head of a tree over a log")
    first, *others = match["lines"].splitlines(keepends=True)
    head = read_head(f"{match['text']}\n{first}".encode(), keys)
    return cosigned(head, others, witnesses)


def cosigned(head: TreeHead, lines: Iterable[str], witnesses: Iterable[WitnessKey]) -> CosignedHead:
    """The head with those of the signature lines that these witnesses made; of two of one the newer."""
    text = head.note.decode("utf-8").partition("\n\n")[0] + "\n"
    askable = list(witnesses)
    newest: dict[WitnessKey, Cosignature] = {}
    for cosignature in _verified(text, lines, askable):
        if cosignature.witness not in newest or newest[cosignature.witness].at < cosignature.at:
            newest[cosignature.witness] = cosignature
    root = base64.b64decode(text.splitlines()[2])
    return CosignedHead(head, root, tuple(newest[key] for key in askable if key in newest))


def _verified(text: str, lines: Iterable[str], witnesses: Sequence[WitnessKey]) -> Iterator[Cosignature]:
    for line in lines:
        match = _LINE.fullmatch(line)
        data = _decoded(match["signature"]) if match is not None else b""
        if match is None or len(data) != 4 + 8 + 64:
            continue
        at = int.from_bytes(data[4:12])
        for witness in witnesses:
            if (witness.name, witness.key_id) == (match["name"], data[:4]) and at <= _END_OF_TIME:
                message = f"cosignature/v1\ntime {at}\n{text}".encode()
                if _is_signed(witness.public_key, data[12:], message):
                    yield Cosignature(witness, at, line)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return data if base64.b64encode(data).decode("ascii") == text else b""


def _is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
