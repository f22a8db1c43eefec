"""The segments of a log on disk, plain, compressed or encrypted: read alike, and what is compressed to a bound.

A sealed segment may stand as `00000001.jsonl.gz` in place of `00000001.jsonl`, or encrypted as `00000001.jsonl.enc`;
where more than one is there, the plain one counts, then the compressed. What it expands to is held to its seal and its
chain like any other, so nothing rests on who compressed it.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, cast

from aegis_authz.adapters.records.encrypted import EncryptedFile, raw_lines
from aegis_authz.adapters.records.keyring import DataKeyAltered, KeyUnusable, process_keyring
from aegis_authz.adapters.records.unread import SegmentDamaged, SegmentLocked
from aegis_authz.evidence.chain import NotARecord, read_link, read_members
from aegis_authz.evidence.encryption import EncryptionInvalid, index_entries

MOST_BYTES = 256 * 1024 * 1024
"""A compressed segment expands to at most so much, four times what a writer puts into one."""
_BLOCK = 64 * 1024
_FILE_NAME = re.compile(r"([0-9]{8})\.jsonl(\.gz|\.enc)?")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of lines, by its number from 1, wherever its bytes are."""

    folder: Path
    number: int

    @property
    def name(self) -> str:
        """The name of its file, compressed or not."""
        return file_name(self.number)

    @property
    def plain(self) -> Path:
        """Where its lines are while it is not compressed."""
        return self.folder / self.name

    @property
    def compressed(self) -> Path:
        """Where they are once it is."""
        return self.folder / f"{self.name}.gz"

    @property
    def encrypted(self) -> Path:
        """Where they are once it is encrypted."""
        return self.folder / f"{self.name}.enc"

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """Where it may be; the first that is there counts."""
        return self.plain, self.compressed, self.encrypted

    @property
    def is_encrypted(self) -> bool:
        """Whether it is there encrypted alone. In this order: another process writes the next before it removes one."""
        return not self.plain.exists() and not self.compressed.exists() and self.encrypted.exists()

    def size(self) -> int:
        """The bytes it takes on the disk. Raises OSError."""
        return sum(path.stat().st_size for path in self.paths if path.exists())

    @property
    def unfinished(self) -> Path:
        """Where its lines are while they are compressed; one that was stopped leaves it."""
        return self.folder / f"{self.name}.gz.tmp"

    def remove_clear(self) -> None:
        """Remove what of it is not encrypted. Raises OSError."""
        for path in (self.plain, self.compressed, self.unfinished):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove it, however it is there. Raises OSError."""
        self.remove_clear()
        self.encrypted.unlink(missing_ok=True)

    def open(self) -> BinaryIO:
        """Its lines. Raises FileNotFoundError, SegmentLocked, SegmentDamaged, OSError; and reading the latter two."""
        try:
            return self.plain.open("rb")
        except FileNotFoundError:  # compressed, perhaps at this moment
            try:
                return expanded(self.compressed)
            except FileNotFoundError:
                return decrypted(self.encrypted)

    def open_anywhere(self) -> BinaryIO:
        """The same where reading goes to and fro: a compressed one is expanded into memory. Raises OSError."""
        file = self.open()
        if self.plain.exists():
            return file
        with file:
            return io.BytesIO(file.read())

    def newest_first(self) -> Iterator[tuple[int, bytes]]:
        """Its lines and their numbers, the last first; of a plain one only what is taken is read. Raises OSError."""
        with self.open_anywhere() as file:
            yield from _from_the_end(file)

    def is_sealed(self) -> bool:
        """Whether its last line is a seal, whatever that is worth. Raises OSError."""
        try:
            return read_members(self.last_line()).get("kind") == "seal"
        except NotARecord:
            return False

    def last_line(self) -> bytes:
        """Its last line, which is its seal once it is closed: of an encrypted one, too. Raises OSError."""
        if self.is_encrypted:
            return [b"", *raw_lines(EncryptedFile.at(self.encrypted).index())][-1]
        return next(self.newest_first(), (0, b""))[1]

    def first_hashes(self) -> tuple[int, bytes, bytes]:
        """The number of its first record, and the hash of it as it states it and as it is; 0 for an empty one.

        Raises NotARecord, SegmentDamaged, OSError.
        """
        if self.is_encrypted:
            file = EncryptedFile.at(self.encrypted)
            try:
                entry = next(index_entries(file.content, file.index()), None)
            except EncryptionInvalid as fault:
                raise SegmentDamaged(f"{self.encrypted}: {fault}") from None
            return (0, b"", b"") if entry is None else (entry.link.seq, entry.link.stated, entry.link.computed)
        with self.open() as opened:
            line = opened.readline()
        if not line:
            return 0, b"", b""
        link = read_link(line)
        return link.seq, link.stated, link.computed


def file_name(number: int) -> str:
    """The name of the log's file of that number, from 1."""
    return f"{number:08d}.jsonl"


def segments(folder: Path) -> list[Segment]:
    """The segments of the log in `folder`, in order. Raises OSError."""
    matches = map(_FILE_NAME.fullmatch, (path.name for path in folder.iterdir()))
    return [Segment(folder, number) for number in sorted({int(match[1]) for match in matches if match is not None})]


def expanded(path: Path) -> BinaryIO:
    """What the gzip file holds, to MOST_BYTES. Raises FileNotFoundError, OSError; reading raises SegmentDamaged."""
    # a buffered reader is one of bytes, whatever its declared type
    return cast(BinaryIO, io.BufferedReader(_Expansion(path, path.open("rb")), _BLOCK))


def decrypted(path: Path, data_key: bytes | None = None) -> BinaryIO:
    """The lines of an encrypted segment, by its data key; without that by the keys that this process was given.

    Raises SegmentLocked, SegmentDamaged, FileNotFoundError, OSError; reading raises SegmentDamaged.
    """
    file = EncryptedFile.at(path)
    if data_key is None:
        try:
            data_key = process_keyring().data_key(file.content)
        except DataKeyAltered as fault:
            raise SegmentDamaged(f"{path}: {fault}") from None
        except KeyUnusable as fault:
            raise SegmentLocked(f"{path} cannot be read: {fault}") from None
    return cast(BinaryIO, io.BufferedReader(_Expansion(path, file.open(data_key)), _BLOCK))


class SegmentReader:
    """Reads pieces of segments and keeps the last one open: cheap for pieces in the order in which they stand."""

    def __init__(self) -> None:
        self._segment: Segment | None = None
        self._file: BinaryIO | None = None

    def read(self, segment: Segment, offset: int, length: int) -> bytes:
        """So many bytes from there on, fewer at the end. Raises FileNotFoundError, OSError."""
        if self._file is None or segment != self._segment:
            self.close()
            self._file, self._segment = segment.open(), segment
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Expansion(io.RawIOBase):
    """The bytes that a gzip file holds; going back begins anew."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._source = gzip.GzipFile(fileobj=self._file)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io calls it with a memoryview
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        target = offset if whence == os.SEEK_SET else self._at + offset
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the end of what is compressed is known when it is read")
        if target < self._at:
            self._source.rewind()
            self._at = 0
        while self._at < target and self._next(min(_BLOCK, target - self._at)):
            pass  # what stands before is expanded and left
        return self._at

    def close(self) -> None:
        self._source.close()
        self._file.close()
        super().close()

    def _next(self, size: int) -> bytes:
        try:
            data = self._source.read(size)
        except (OSError, EOFError, zlib.error) as fault:
            raise SegmentDamaged(f"{self._path} cannot be expanded: {fault}") from fault
        self._at += len(data)
        if self._at > MOST_BYTES:
            raise SegmentDamaged(f"{self._path} cannot be expanded: it holds more than {MOST_BYTES} bytes")
        return data


def _from_the_end(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    at = file.seek(0, os.SEEK_END)
    number = _line_count(file, at)
    rest: list[bytes] = []  # the last lines of what was read, of which the first may lack its beginning
    while at:
        start = max(0, at - _BLOCK)
        file.seek(start)
        data = file.read(at - start) + (rest[0] if rest else b"")
        rest = _split(data)
        for raw in reversed(rest[1:]):
            yield number, raw
            number -= 1
        at = start
    for raw in rest[:1]:
        yield number, raw


def _line_count(file: BinaryIO, size: int) -> int:
    file.seek(0)
    count, last = 0, b"\n"
    while size and (block := file.read(min(_BLOCK, size))):
        count += block.count(b"\n")
        size -= len(block)
        last = block
    return count if last.endswith(b"\n") else count + 1


def _split(data: bytes) -> list[bytes]:
    """The lines of `data`, each with its newline; `splitlines` would end some at other characters."""
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
