"""Sealed segments are encrypted where they stand, and their data keys wrapped again, also while a writer lives.

Whoever does so signs with the key of records what is proven later without the key of the bodies, so nothing is signed
before it was held to its seal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.compression import finished_segments, segments_locked
from aegis_authz.adapters.records.encrypted import EncryptedFile, encrypt_lines
from aegis_authz.adapters.records.files import label
from aegis_authz.adapters.records.keyring import Keyring, WrappingKey
from aegis_authz.adapters.records.recovery import read_notes
from aegis_authz.adapters.records.segments import MOST_BYTES, Segment, decrypted, segments
from aegis_authz.adapters.records.unread import SegmentDamaged
from aegis_authz.core.record import SealRecord
from aegis_authz.evidence.chain import Link, NotARecord, read_link, read_record
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.encryption import EncryptedSegment, index_line, sign_encryption, wrap_context
from aegis_authz.evidence.notes import trusted_seals
from aegis_authz.evidence.segment import verify_seal

_BLOCK = 1024 * 1024
_KEY_BYTES = 32


class EncryptionRefused(OSError):
    """A segment stays as it is, for what it holds is not what was sealed; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """A segment that was encrypted, or whose data key was wrapped again: whose, its number, and by which key."""

    writer: str
    segment: int
    key: str


@dataclass(frozen=True, slots=True)
class _Lines:
    """What the head says of the lines of a segment."""

    links: tuple[int, int, bytes]
    index: bytes
    size: int
    digest: str


def encrypt_log(
    folder: Path, keys: Sequence[bytes], wrapping: WrappingKey, signing: Ed25519PrivateKey
) -> Iterator[Encryption]:
    """Encrypt the sealed segments of the log in `folder` that are not, the oldest first, each in one step for readers.

    They are held to their seals under the raw public `keys` before. One stays where no checkpoint covers a record
    behind it yet: its writer, stopped now, would go on from its seal, and reads none that is encrypted. Raises
    FolderBusy, EncryptionRefused, KeyUnusable, OSError; what was encrypted until then stays so.
    """
    with segments_locked(folder):
        sealed = _sealed_count(folder, keys)
        for segment in finished_segments(folder):
            if segment.is_encrypted or not segment.is_sealed() or read_link(segment.last_line()).seq >= sealed:
                continue
            if segment.plain.exists() and segment.plain.stat().st_size > MOST_BYTES:
                continue
            _encrypt(segment, keys, wrapping, signing)
            yield Encryption(folder.name, segment.number, wrapping.name)


def _sealed_count(folder: Path, keys: Sequence[bytes]) -> int:
    """How many records of the log its checkpoints cover."""
    seals, _ = trusted_seals(read_notes(folder, label(folder)), folder.name, keys)
    return max((seal.checkpoint.size for seal in seals), default=0)


def rewrap_log(
    folder: Path, keys: Sequence[bytes], keyring: Keyring, signing: Ed25519PrivateKey
) -> Iterator[Encryption]:
    """Wrap the data keys of the log in `folder` by the first key of the ring; what they encrypt stays byte for byte.

    What a Vault wraps by the same key is left as it is where the key has no newer version. Raises FolderBusy,
    SegmentDamaged, EncryptionRefused, KeyUnusable, OSError.
    """
    wrapping = keyring.first
    with segments_locked(folder):
        for segment in segments(folder):
            if segment.is_encrypted and _rewrap(segment, keys, keyring, signing):
                yield Encryption(folder.name, segment.number, wrapping.name)


def _encrypt(segment: Segment, keys: Sequence[bytes], wrapping: WrappingKey, signing: Ed25519PrivateKey) -> None:
    writer, data_key = segment.folder.name, os.urandom(_KEY_BYTES)
    lines = _sealed_lines(segment, keys)
    with segment.open() as source:
        bodies, size, digest = encrypt_lines(source, writer, segment.number, data_key)
    if (size, digest) != (lines.size, lines.digest):
        raise EncryptionRefused(f"{segment.plain} stays as it is: it was changed meanwhile")
    context = wrap_context(writer, segment.number)
    wrapped = wrapping.wrap(data_key, context)
    if wrapping.unwrap(wrapped, context) != data_key:
        raise EncryptionRefused(f"{segment.plain} stays as it is: the key {wrapping.name} does not open what it wraps")
    first, last, prev = lines.links
    content = EncryptedSegment(
        writer=writer,
        segment=segment.number,
        first=first,
        last=last,
        prev=prev,
        size=size,
        index_size=len(lines.index),
        index_digest=hashlib.sha256(lines.index).hexdigest(),
        body_size=len(bodies),
        body_digest=hashlib.sha256(bodies).hexdigest(),
        key=wrapping.name,
        wrapped=wrapped,
    )
    durable.replace(segment.encrypted, sign_encryption(content, signing) + lines.index + bodies)
    _require_opened(segment, lines, data_key)
    segment.remove_clear()  # from here on the encrypted one counts
    durable.sync_folder(segment.folder)


def _require_opened(segment: Segment, lines: _Lines, data_key: bytes) -> None:
    digest = hashlib.sha256()
    with suppress(SegmentDamaged), decrypted(segment.encrypted, data_key) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != lines.digest:
        segment.encrypted.unlink()
        raise EncryptionRefused(f"{segment.plain} stays as it is: what was encrypted of it is not the same")


def _sealed_lines(segment: Segment, keys: Sequence[bytes]) -> _Lines:
    """What a segment holds, once it was held to its seal. Raises EncryptionRefused, OSError."""
    index: list[bytes] = []
    before, whole = hashlib.sha256(), hashlib.sha256()
    first: Link | None = None
    head, seq, size, raw = b"", 0, 0, b""
    with segment.open() as file:
        for raw in file:
            try:
                link = read_link(raw)
                index.append(index_line(raw))
            except NotARecord as fault:
                raise _refused(segment, str(fault)) from None
            if first is None:
                first, head, seq = link, link.prev, link.seq - 1
            if not link.is_whole or (link.writer, link.prev, link.seq) != (segment.folder.name, head, seq + 1):
                raise _refused(segment, f"record {seq + 1} does not continue the one before it")
            before = whole.copy()
            whole.update(raw)
            head, seq, size = link.computed, link.seq, size + len(raw)
    if first is None:
        raise _refused(segment, "it is empty")
    _require_seal(segment, raw, (first.seq, seq), before.hexdigest(), keys)
    return _Lines((first.seq, seq, first.prev), b"".join(index), size, whole.hexdigest())


def _require_seal(segment: Segment, raw: bytes, extent: tuple[int, int], digest: str, keys: Sequence[bytes]) -> None:
    try:
        seal = read_record(raw)
    except (NotARecord, RecordInvalid) as fault:
        raise _refused(segment, str(fault)) from None
    first, last = extent
    stated = (seal.segment, seal.first, seal.last, seal.digest) if isinstance(seal, SealRecord) else None
    if not isinstance(seal, SealRecord) or stated != (segment.number, first, last - 1, digest):
        raise _refused(segment, "it is not what its seal says")
    for key in keys:
        with suppress(CheckpointInvalid):
            verify_seal(segment.folder.name, seal, key)
            return
    raise _refused(segment, "its seal cannot be trusted")


def _refused(segment: Segment, why: str) -> EncryptionRefused:
    return EncryptionRefused(f"{segment.plain} stays as it is: {why}")


def _rewrap(segment: Segment, keys: Sequence[bytes], keyring: Keyring, signing: Ed25519PrivateKey) -> bool:
    file, wrapping = EncryptedFile.at(segment.encrypted), keyring.first
    content = file.content
    if file.require_signed(keys) is None or (content.writer, content.segment) != (segment.folder.name, segment.number):
        raise EncryptionRefused(f"{segment.encrypted} stays as it is: none of the given keys signed it for this place")
    data_key = keyring.data_key(content)
    wrapped = wrapping.wrap(data_key, wrap_context(content.writer, content.segment))
    if content.key == wrapping.name and _version(content.wrapped) == _version(wrapped):
        return False
    if wrapping.unwrap(wrapped, wrap_context(content.writer, content.segment)) != data_key:
        raise EncryptionRefused(f"{segment.encrypted} stays as it is: {wrapping.name} does not open what it wraps")
    head = sign_encryption(replace(content, key=wrapping.name, wrapped=wrapped), signing)
    durable.replace(segment.encrypted, head + file.index() + file.bodies())
    return True


def _version(wrapped: str) -> str:
    """The version of the key that wrapped: of Vault `vault:v3`."""
    return wrapped.rpartition(":")[0]
