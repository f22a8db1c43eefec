"""How far the logs of a folder were delivered, kept in a file; and the lines behind that."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aegis_authz import durable
from aegis_authz.adapters.records.encrypted import EncryptedFile
from aegis_authz.adapters.records.files import label, log_files
from aegis_authz.adapters.records.segments import Segment, segments
from aegis_authz.adapters.records.unread import SegmentUnread, read_the_rest, require_read
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.segment import segment_number

_VERSION = 1
_NAME = re.compile(r"[0-9]{1,18}\.jsonl")
_TAIL = 80
"""Bytes before a place that are remembered: a line's hash is among them."""


class CursorInvalid(Exception):
    """A cursor's file is none; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on in a log: in that file, behind so many bytes and lines, the last of which are `tail`."""

    file: str
    offset: int
    lines: int
    tail: str


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line, its writer, and the place behind it."""

    line: LogLine
    writer: str
    place: Place


@dataclass(frozen=True, slots=True)
class UnreadSegment:
    """A segment that cannot be read from a place on, and why."""

    writer: str
    place: Place
    fault: str


def lines_behind(folder: Path, places: Mapping[str, Place]) -> Iterator[PlacedLine]:
    """The whole lines of each log in `folder` behind its place; all of a log that has none.

    Where the bytes before a place are not those remembered (a writer cut its damaged tail off), that file is read
    again from its beginning: better twice than not at all. A segment that is retired as it is come to is passed over.
    A log is read no further than to a segment that cannot be read, and the others are all the same. Raises NoRecords,
    OSError; SegmentUnread behind the last line.
    """
    return read_the_rest(_behind(folder, places))


def lines_in_turn(folder: Path, places: Mapping[str, Place]) -> Iterator[PlacedLine]:
    """The same lines, of each log one after the other, so that none waits until another was read to its end."""
    logs = deque(_behind(folder, places))
    faults: list[str] = []
    while logs:
        try:
            placed = next(logs[0], None)
        except SegmentUnread as fault:
            faults.append(str(fault))
            placed = None
        if placed is None:
            logs.popleft()
        else:
            logs.rotate(-1)
            yield placed
    require_read(faults)


def lines_over_gaps(
    folder: Path, places: Mapping[str, Place], gaps: Collection[tuple[str, str]]
) -> Iterator[PlacedLine | UnreadSegment]:
    """The same lines in turn, and those behind a segment that cannot be read, which is told in its place.

    Of `gaps`, segments by writer and file, nothing is read. Raises NoRecords, OSError.
    """
    logs = deque(_of_log_over_gaps(log.folder, places.get(log.folder.name), gaps) for log in log_files(folder))
    while logs:
        entry = next(logs[0], None)
        if entry is None:
            logs.popleft()
        else:
            logs.rotate(-1)
            yield entry


def lines_of_segment(folder: Path, place: Place) -> Iterator[PlacedLine]:
    """The whole lines of one segment of the log in `folder` behind a place in it.

    Raises SegmentUnread, FileNotFoundError, OSError.
    """
    segment = Segment(folder, segment_number(place.file))
    return iter(()) if _is_end(segment, place) else _read(segment, place)


def _behind(folder: Path, places: Mapping[str, Place]) -> list[Iterator[PlacedLine]]:
    return [_of_log(log.folder, places.get(log.folder.name)) for log in log_files(folder)]


def _of_log(folder: Path, place: Place | None) -> Iterator[PlacedLine]:
    for start in _starts(folder, place):
        try:
            yield from lines_of_segment(folder, start)
        except FileNotFoundError:
            continue


def _of_log_over_gaps(
    folder: Path, place: Place | None, gaps: Collection[tuple[str, str]]
) -> Iterator[PlacedLine | UnreadSegment]:
    for start in _starts(folder, place):
        if (folder.name, start.file) in gaps:
            continue
        behind = start
        try:
            for placed in lines_of_segment(folder, start):
                behind = placed.place
                yield placed
        except FileNotFoundError:
            continue
        except SegmentUnread as fault:
            yield UnreadSegment(folder.name, behind, str(fault))


def _starts(folder: Path, place: Place | None) -> Iterator[Place]:
    """Where each segment of a log is to be read from that is not read yet."""
    for segment in segments(folder):
        if place is None or segment.name > place.file:
            yield Place(segment.name, 0, 0, "")
        elif segment.name == place.file:
            yield place


def is_there(folder: Path, place: Place) -> bool:
    """Whether the log in `folder` still has, before a place, the bytes that are remembered of it. Raises OSError."""
    segment = Segment(folder, segment_number(place.file))
    try:
        if _is_end(segment, place):
            return True
        with segment.open() as file:
            return _is_there(file, place)
    except SegmentUnread:
        return True  # that it is another is not known, and reading says why it cannot be
    except FileNotFoundError:
        return False


def ends(folder: Path) -> dict[str, Place]:
    """Where the logs in `folder` end now, by writer. Raises NoRecords, OSError."""
    found: dict[str, Place] = {}
    for log in log_files(folder):
        for segment in reversed(segments(log.folder)):
            for placed in _read(segment, Place(segment.name, 0, 0, "")):
                found[placed.writer] = placed.place
            if log.folder.name in found:
                break
    return found


def load_places(path: Path) -> tuple[dict[str, Place], list[tuple[str, str]]] | None:
    """The places and the uses in a cursor's file; None where there is no file. Raises CursorInvalid, OSError."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise CursorInvalid(f"{path} is no cursor of an export: move it away to start again") from None
    try:
        if content["v"] != _VERSION:
            raise CursorInvalid(f"{path}: a cursor of version {content['v']!r} is not known here")
        places = {writer: _place(members) for writer, members in content["writers"].items()}
        return places, [(str(agent), str(tool)) for agent, tool in content["uses"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CursorInvalid(f"{path} is no cursor of an export: move it away to start again") from None


def save_places(path: Path, places: Mapping[str, Place], uses: frozenset[tuple[str, str]]) -> None:
    """Write the cursor's file in one step. Raises OSError."""
    writers = {
        writer: {"file": place.file, "offset": place.offset, "lines": place.lines, "tail": place.tail}
        for writer, place in sorted(places.items())
    }
    content = {"v": _VERSION, "writers": writers, "uses": sorted(map(list, uses))}
    durable.replace(path, json.dumps(content).encode() + b"\n")


def _place(members: Mapping[str, object]) -> Place:
    file, offset, lines, tail = members["file"], members["offset"], members["lines"], members["tail"]
    if not isinstance(file, str) or _NAME.fullmatch(file) is None or not isinstance(tail, str):
        raise ValueError("no place")
    if type(offset) is not int or type(lines) is not int or offset < 0 or lines < 0:
        raise ValueError("no place")
    return Place(file, offset, lines, tail)


def _read(segment: Segment, start: Place) -> Iterator[PlacedLine]:
    folder = segment.folder
    with segment.open() as file:
        if not _is_there(file, start):
            start = Place(segment.name, 0, 0, "")
        file.seek(start.offset)
        offset, lines = start.offset, start.lines
        for raw in file:
            if not raw.endswith(b"\n"):
                return  # being written at this moment
            offset, lines = offset + len(raw), lines + 1
            place = Place(segment.name, offset, lines, raw[-_TAIL:].decode("latin-1"))
            yield PlacedLine(LogLine(f"{label(folder)}{segment.name}", lines, raw), folder.name, place)


def _is_end(segment: Segment, place: Place) -> bool:
    """Whether the place is behind the last line of a segment that is encrypted: that is known without its key."""
    if not segment.is_encrypted or not place.offset:
        return False
    is_all = EncryptedFile.at(segment.encrypted).content.size == place.offset
    return is_all and segment.last_line()[-_TAIL:].decode("latin-1") == place.tail


def _is_there(file: BinaryIO, place: Place) -> bool:
    tail = place.tail.encode("latin-1", "replace")
    if place.offset < len(tail):
        return False
    file.seek(place.offset - len(tail))
    return file.read(len(tail)) == tail
