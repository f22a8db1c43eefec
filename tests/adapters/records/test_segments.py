"""Segments read alike, plain or compressed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from aegis_authz.adapters.records import segments as segment_files
from aegis_authz.adapters.records.segments import Segment, SegmentDamaged, SegmentReader, expanded, segments

LINES = [b'{"line":%d}\n' % number for number in range(1000)]
WHOLE = b"".join(LINES)


def packed(folder: Path, number: int = 1, content: bytes = WHOLE) -> Segment:
    segment = Segment(folder, number)
    segment.compressed.write_bytes(gzip.compress(content))
    return segment


def test_the_segments_of_a_log_are_in_order_whatever_they_are_stored_as(tmp_path: Path) -> None:
    for name in ("00000002.jsonl", "00000001.jsonl.gz", "00000003.jsonl", "00000003.jsonl.gz", "3.jsonl", "x.torn"):
        (tmp_path / name).touch()
    assert [segment.number for segment in segments(tmp_path)] == [1, 2, 3]


def test_a_compressed_segment_is_read_from_anywhere(tmp_path: Path) -> None:
    with packed(tmp_path).open() as file:
        assert file.readline() == LINES[0]
        file.seek(len(WHOLE) - len(LINES[-1]))
        assert file.read() == LINES[-1]
        file.seek(len(LINES[0]))
        assert file.readline() == LINES[1]
        assert list(file) == LINES[2:]


def test_a_compressed_segment_reads_the_same_from_its_end(tmp_path: Path) -> None:
    assert list(packed(tmp_path).newest_first()) == list(enumerate(LINES, start=1))[::-1]


def test_of_a_segment_that_is_there_twice_the_plain_one_counts(tmp_path: Path) -> None:
    segment = packed(tmp_path, content=b"{}\n")
    segment.plain.write_bytes(WHOLE)
    with segment.open() as file:
        assert file.read() == WHOLE


def test_pieces_are_read_in_any_order_over_segments(tmp_path: Path) -> None:
    first, second = packed(tmp_path, 1), packed(tmp_path, 2, b"another\n")
    with SegmentReader() as reader:
        assert reader.read(first, len(LINES[0]), len(LINES[1])) == LINES[1]
        assert reader.read(second, 0, 7) == b"another"
        assert reader.read(first, 0, len(LINES[0])) == LINES[0]


@pytest.mark.parametrize("at", [0, 30, -6, -2], ids=["head", "body", "checksum", "length"])
def test_what_cannot_be_expanded_is_named(tmp_path: Path, at: int) -> None:
    segment = packed(tmp_path)
    content = bytearray(segment.compressed.read_bytes())
    content[at] ^= 0x55
    segment.compressed.write_bytes(content)
    with segment.open() as file, pytest.raises(SegmentDamaged, match=r"00000001\.jsonl\.gz cannot be expanded"):
        file.read()


@pytest.mark.parametrize(
    "change", [lambda content: content[:-9], lambda content: content + b"more"], ids=["cut", "more"]
)
def test_an_end_that_is_none_is_named(tmp_path: Path, change: object) -> None:
    segment = packed(tmp_path)
    segment.compressed.write_bytes(change(segment.compressed.read_bytes()))  # type: ignore[operator]  # a function of bytes
    with segment.open() as file, pytest.raises(SegmentDamaged):
        file.read()


def test_what_expands_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_files, "MOST_BYTES", 1_000_000)
    segment = packed(tmp_path, content=bytes(5_000_000))
    assert segment.compressed.stat().st_size < 10_000
    for read in (lambda file: file.read(), lambda file: file.readline(), lambda file: file.seek(4_000_000)):
        with expanded(segment.compressed) as file, pytest.raises(SegmentDamaged, match="holds more than 1000000 bytes"):
            read(file)
    with segment.open() as file, pytest.raises(OSError, match="end of what is compressed"):
        file.seek(0, os.SEEK_END)


def test_a_segment_is_sealed_when_its_last_line_is_a_seal(tmp_path: Path) -> None:
    sealed = b'{"kind":"decision"}\n{"kind":"seal"}\n'
    assert packed(tmp_path, content=sealed).is_sealed()
    for content in (b"", b'{"kind":"seal"}\n{"kind":"decision"}\n', b"no json"):
        assert not packed(tmp_path, content=content).is_sealed()
