"""Segments: the files of a log, each of which ends in a seal once it is full.

The seal is a record like the others, so the chain and the checkpoints cover it. It signs, as a note (C2SP signed-note)
whose text is six lines, the origin `aegis-segment`, the writer, the number of the segment, those of its first and last
record, and the SHA-256 of the bytes before the seal: a segment by itself, wherever it was brought, is proven by that
and the public key.
"""

from __future__ import annotations

import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.record import SealRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.checkpoint import CheckpointInvalid, sign_text, verify_text

_ORIGIN = "aegis-segment"
_DIGEST = re.compile("[0-9a-f]{64}")
_SIGNATURE = re.compile("[A-Za-z0-9+/]{91}=")
_FILE = re.compile(r"(?:^|/)([0-9]{8})\.jsonl$")


def segment_number(file: str) -> int:
    """The number of the segment in the file of that name, or label; 0 for the name of something else."""
    match = _FILE.search(file)
    return int(match[1]) if match is not None else 0


def sign_seal(
    now: Epoch, writer: str, segment: int, extent: tuple[int, int], digest: str, key: Ed25519PrivateKey
) -> SealRecord:
    """The seal of a segment of `writer` that holds the records of `extent`, the numbers of the first and the last."""
    text = _text(writer, segment, extent, digest)
    note = sign_text(text, _ORIGIN, key, key.public_key().public_bytes_raw()).decode("utf-8")
    return SealRecord(now, segment, *extent, digest, note.rsplit(" ", 1)[1].rstrip("\n"))


def verify_seal(writer: str, seal: SealRecord, public_key: bytes) -> None:
    """Raises CheckpointInvalid unless the owner of the raw `public_key` signed that seal for the log of `writer`."""
    if _DIGEST.fullmatch(seal.digest) is None or _SIGNATURE.fullmatch(seal.signature) is None:
        raise CheckpointInvalid("its digest or its signature is malformed")
    text = _text(writer, seal.segment, (seal.first, seal.last), seal.digest)
    verify_text(text, _ORIGIN, seal.signature, public_key)


def _text(writer: str, segment: int, extent: tuple[int, int], digest: str) -> str:
    return f"{_ORIGIN}\n{writer}\n{segment}\n{extent[0]}\n{extent[1]}\n{digest}\n"


class SegmentCheck:
    """Follows the segments of one log, line by line: whether each ends where its seal says and the next one follows.

    Files from before segments were sealed have no seal at their end; behind the first seal, each but the last has one.
    """

    def __init__(self, writer: str, retired: int = 0) -> None:
        """`retired` is the number of the last segment that a tombstone stands for, 0 for a log from its beginning."""
        self._writer = writer
        self._number = retired
        self._first = 0
        self._digest: hashlib._Hash | None = hashlib.sha256()
        self._is_closed = retired > 0
        self._has_seal = retired > 0

    @property
    def is_closed(self) -> bool:
        """Whether the last line that was taken is a seal, or nothing stands behind a tombstone."""
        return self._is_closed

    def enter(self, number: int, seq: int) -> str:
        """The next line stands in the segment of that number, and record `seq` belongs there.

        Returns what is wrong with that, "" for nothing.
        """
        if number == self._number:
            return "it stands behind the seal of its segment" if self._is_closed else ""
        problem = ""
        if self._is_closed and number != self._number + 1:
            problem = f"segment {number} stands where segment {self._number + 1} belongs"
        elif self._has_seal and not self._is_closed:
            problem = f"segment {self._number} before it does not end in a seal"
        self._number, self._first, self._is_closed = number, seq, False
        self._digest = hashlib.sha256()
        return problem

    def add(self, raw: bytes) -> None:
        """Take the line that was entered."""
        if self._digest is not None:
            self._digest.update(raw)

    def add_unread(self) -> None:
        """Take the line that was entered, whose bytes are not known: so is not the digest of its segment."""
        self._digest = None

    def close(self, seal: SealRecord, seq: int, public_key: bytes | None) -> str:
        """The line to be taken next is that seal, record `seq`, under the raw `public_key`; None where that is foreign.

        Returns what is wrong with it, "" for nothing.
        """
        self._is_closed = self._has_seal = True
        extent = (seal.segment, seal.first, seal.last, seal.digest)
        digest = seal.digest if self._digest is None else self._digest.hexdigest()
        if extent != (self._number, self._first, seq - 1, digest):
            return "it seals another segment than the one before it"
        try:
            if public_key is not None:
                verify_seal(self._writer, seal, public_key)
        except CheckpointInvalid as fault:
            return f"its seal cannot be trusted: {fault}"
        return ""
