"""An encrypted segment on the disk: a signed head, an index of hashes in the clear, and the bodies in frames.

The bodies are the lines of the segment, compressed (gzip), in frames of 64 KiB under AES-256-GCM. Each file has a data
key of its own, so the number of a frame is its nonce and none comes twice; a frame is bound to its writer, segment,
number and to whether it is the last.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aegis_authz.adapters.records.unread import SegmentDamaged
from aegis_authz.evidence.encryption import (
    MOST_HEAD_BYTES,
    EncryptedSegment,
    EncryptionHead,
    EncryptionInvalid,
    frame_context,
    read_head,
    signer_of,
)

FRAME = 64 * 1024
_TAG = 16
_LEVEL = 6
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """One such file, by what its head says."""

    path: Path
    head: EncryptionHead

    @staticmethod
    def at(path: Path) -> EncryptedFile:
        """The file at `path`. Raises SegmentDamaged, FileNotFoundError, OSError."""
        with path.open("rb") as file:
            return EncryptedFile(path, _head_of(path, file))

    @property
    def content(self) -> EncryptedSegment:
        """What its head says."""
        return self.head.content

    def index(self) -> bytes:
        """Its index, as it is there. Raises SegmentDamaged, OSError."""
        with self._behind_head() as file:
            return self._index_in(file)

    def _index_in(self, file: BinaryIO) -> bytes:
        # a head that somebody made up may name any size, and so much memory would be asked for at once
        index = file.read(min(self.content.index_size, os.fstat(file.fileno()).st_size))
        if hashlib.sha256(index).hexdigest() != self.content.index_digest:
            raise SegmentDamaged(f"{self.path}: its index is not the one that was signed")
        return index

    def require_signed(self, keys: Sequence[bytes]) -> bytes | None:
        """Which of the raw public `keys` signed the file, every byte of which is then as it was; None for none of them.

        Raises SegmentDamaged, OSError.
        """
        try:
            signer = signer_of(self.head, keys)
        except EncryptionInvalid as fault:
            raise SegmentDamaged(f"{self.path}: {fault}") from None
        digest, size = hashlib.sha256(), 0
        with self._behind_head() as file:
            self._index_in(file)
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        if (size, digest.hexdigest()) != (self.content.body_size, self.content.body_digest):
            raise SegmentDamaged(f"{self.path}: its encrypted bodies are not those that were signed")
        return signer

    def bodies(self) -> bytes:
        """Its bodies as they are encrypted. Raises OSError."""
        with self._behind_head() as file:
            file.seek(self.content.index_size, os.SEEK_CUR)
            return file.read()

    @contextmanager
    def _behind_head(self) -> Iterator[BinaryIO]:
        """The file behind its head, which may be longer than this one: its data key was wrapped again meanwhile."""
        with self.path.open("rb") as file:
            file.seek(_head_of(self.path, file).length)
            yield file

    def open(self, data_key: bytes) -> BinaryIO:
        """Its bodies, decrypted and still compressed. Raises OSError; reading raises SegmentDamaged."""
        return cast(BinaryIO, io.BufferedReader(_Frames(self, data_key), FRAME))


def _head_of(path: Path, file: BinaryIO) -> EncryptionHead:
    try:
        return read_head(file.read(MOST_HEAD_BYTES))
    except EncryptionInvalid as fault:
        raise SegmentDamaged(f"{path}: {fault}") from None


def encrypt_lines(lines: BinaryIO, writer: str, segment: int, data_key: bytes) -> tuple[bytes, int, str]:
    """The bodies of a segment, and the size and SHA-256 of what went in. `data_key` is used for nothing else, ever."""
    packed = io.BytesIO()
    digest, size = hashlib.sha256(), 0
    with gzip.GzipFile("", "wb", _LEVEL, packed, mtime=0) as packer:
        while block := lines.read(_BLOCK):
            packer.write(block)
            digest.update(block)
            size += len(block)
    cipher, clear = AESGCM(data_key), packed.getbuffer()
    frames = _frames(clear)
    last = len(frames) - 1
    return (
        b"".join(
            cipher.encrypt(_nonce(at), frame, frame_context(writer, segment, at, at == last))
            for at, frame in enumerate(frames)
        ),
        size,
        digest.hexdigest(),
    )


def _frames(data: memoryview) -> list[memoryview]:
    return [data[at : at + FRAME] for at in range(0, len(data), FRAME)]


def _nonce(position: int) -> bytes:
    return position.to_bytes(12, "big")


def raw_lines(data: bytes) -> Iterator[bytes]:
    """The lines in `data`, each with its newline."""
    return iter(io.BytesIO(data))


class _Frames(io.RawIOBase):
    """The bodies of a file, frame by frame."""

    def __init__(self, file: EncryptedFile, data_key: bytes) -> None:
        self._encrypted = file
        self._cipher = AESGCM(data_key)
        self._file = file.path.open("rb")
        try:
            self._begin = _head_of(file.path, self._file).length + file.content.index_size
        except SegmentDamaged:
            self._file.close()
            raise
        self._at = 0
        self._frame: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the end of what is encrypted is known when it is read")
        self._at = offset if whence == os.SEEK_SET else self._at + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io calls it with a memoryview
        position, start = divmod(self._at, FRAME)
        data = self._decrypted(position)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _decrypted(self, position: int) -> bytes:
        if self._frame[0] == position:
            return self._frame[1]
        content = self._encrypted.content
        start = position * (FRAME + _TAG)
        if start >= content.body_size:
            return b""
        self._file.seek(self._begin + start)
        sealed = self._file.read(min(FRAME + _TAG, content.body_size - start))
        is_last = start + len(sealed) == content.body_size
        context = frame_context(content.writer, content.segment, position, is_last)
        try:
            self._frame = position, self._cipher.decrypt(_nonce(position), sealed, context)
        except (InvalidTag, ValueError):
            raise SegmentDamaged(f"frame {position} is not what was encrypted there") from None
        return self._frame[1]
