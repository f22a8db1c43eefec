"""The head of an encrypted segment: what it is of, signed, so that its records are proven without the key.

A note (C2SP signed-note) named `aegis-encrypted-segment` stands first in the file. Its lines are that name; the writer;
the number of the segment; the numbers of its first record and of its seal; the hash before the first record, in hex;
the bytes of its lines; the size and the SHA-256 of the index behind the note; the same of the bodies behind that; the
name of the key-encryption key; and the data key, wrapped by it. The index has a line for each record: its hash in hex,
or the whole line where verifiers need it (seals and changes of key, which hold nothing of a call).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.record import KeyRecord, SealRecord
from aegis_authz.evidence.chain import Link, NotARecord, read_link, read_record
from aegis_authz.evidence.checkpoint import CheckpointInvalid, SignedByAnother, sign_text, verify_text
from aegis_authz.evidence.document import RecordInvalid

_ORIGIN = "aegis-encrypted-segment"
MOST_HEAD_BYTES = 4096
KEY_NAME = "[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}"
WRAPPED = "[A-Za-z0-9][A-Za-z0-9+/=:_-]{0,999}"
_NUMBER = "0|[1-9][0-9]{0,17}"
_HASH = "[0-9a-f]{64}"
_NOTE = re.compile(
    f"(?P<text>{_ORIGIN}\n(?P<writer>[A-Za-z0-9][A-Za-z0-9._-]{{0,63}})\n(?P<segment>[1-9][0-9]{{0,7}})\n"
    f"(?P<first>{_NUMBER}) (?P<last>{_NUMBER})\n(?P<prev>{_HASH})\n(?P<size>{_NUMBER})\n"
    f"(?P<index_size>{_NUMBER}) (?P<index_digest>{_HASH})\n(?P<body_size>{_NUMBER}) (?P<body_digest>{_HASH})\n"
    f"(?P<key>{KEY_NAME})\n(?P<wrapped>{WRAPPED})\n)"
    f"\n\u2014 {_ORIGIN} (?P<signature>[A-Za-z0-9+/]{{91}}=)\n"
)
_INDEX_LINE = re.compile(rb"[0-9a-f]{64}\n")


class EncryptionInvalid(ValueError):
    """It is no encrypted segment, or not as it was signed; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class EncryptedSegment:
    """What the head says. `first` and `last` number its records, its seal included; `prev` is the raw hash before them.

    `size` are the bytes of its lines. Of the index and of the bodies it says the size in bytes and the SHA-256 in hex.
    `key` names the key that `wrapped`, the data key, opens with.
    """

    writer: str
    segment: int
    first: int
    last: int
    prev: bytes
    size: int
    index_size: int
    index_digest: str
    body_size: int
    body_digest: str
    key: str
    wrapped: str

    def text(self) -> str:
        """The signed text of the note."""
        return (
            f"{_ORIGIN}\n{self.writer}\n{self.segment}\n{self.first} {self.last}\n{self.prev.hex()}\n{self.size}\n"
            f"{self.index_size} {self.index_digest}\n{self.body_size} {self.body_digest}\n{self.key}\n{self.wrapped}\n"
        )


@dataclass(frozen=True, slots=True)
class EncryptionHead:
    """What the head of a file says, who may have signed it (`signature`, base64), and how many bytes it takes."""

    content: EncryptedSegment
    signature: str
    length: int


def sign_encryption(content: EncryptedSegment, key: Ed25519PrivateKey) -> bytes:
    """The signed note."""
    return sign_text(content.text(), _ORIGIN, key, key.public_key().public_bytes_raw())


def read_head(data: bytes) -> EncryptionHead:
    """The head at the beginning of a file, of which `data` are the first bytes. Raises EncryptionInvalid."""
    match = _NOTE.match(data[:MOST_HEAD_BYTES].decode("utf-8", "replace"))
    if match is None:
        raise EncryptionInvalid("it does not begin as an encrypted segment does")
    numbers = {name: int(match[name]) for name in ("segment", "first", "last", "size", "index_size", "body_size")}
    digests = {name: match[name] for name in ("index_digest", "body_digest", "key", "wrapped")}
    content = EncryptedSegment(writer=match["writer"], prev=bytes.fromhex(match["prev"]), **numbers, **digests)  # type: ignore[arg-type]  # by the expression
    return EncryptionHead(content, match["signature"], len(match[0].encode("utf-8")))


def signer_of(head: EncryptionHead, keys: Sequence[bytes]) -> bytes | None:
    """Which of the raw public `keys` signed the head, None for none of them. Raises EncryptionInvalid."""
    for key in keys:
        try:
            verify_text(head.content.text(), _ORIGIN, head.signature, key)
        except SignedByAnother:
            continue
        except CheckpointInvalid:
            raise EncryptionInvalid("the signature of its head does not verify") from None
        return key
    return None


def index_line(raw: bytes) -> bytes:
    """The line of the index for a line of a log. Raises NotARecord."""
    try:
        is_clear = isinstance(read_record(raw), (SealRecord, KeyRecord))
    except RecordInvalid:
        is_clear = False
    return raw if is_clear else read_link(raw).computed.hex().encode("ascii") + b"\n"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A record by its place in the chain, and its line where that is in the clear, else empty."""

    link: Link
    raw: bytes


def index_entries(content: EncryptedSegment, index: bytes) -> Iterator[IndexEntry]:
    """The records of the index. Raises EncryptionInvalid for one that has no such form."""
    prev, seq = content.prev, content.first
    for line in index.splitlines(keepends=True):
        if _INDEX_LINE.fullmatch(line):
            digest = bytes.fromhex(line[:-1].decode("ascii"))
            yield IndexEntry(Link(content.writer, seq, prev, digest, digest), b"")
            prev = digest
        else:
            try:
                link = read_link(line)
            except NotARecord as fault:
                raise EncryptionInvalid(f"record {seq} of its index: {fault}") from None
            yield IndexEntry(link, line)
            prev = link.computed
        seq += 1
    if seq != content.last + 1:
        raise EncryptionInvalid("its index has not as many records as its head says")


def wrap_context(writer: str, segment: int) -> bytes:
    """What the wrapped data key of a segment is bound to."""
    return f"aegis-data-key\n{writer}\n{segment}\n".encode("ascii")


def frame_context(writer: str, segment: int, position: int, is_last: bool) -> bytes:
    """What a frame of the bodies is bound to; `position` counts from 0."""
    return f"aegis-frame\n{writer}\n{segment}\n{position}\n{int(is_last)}\n".encode("ascii")
