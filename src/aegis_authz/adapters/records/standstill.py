"""Whether logs stand still, by what the file system says of their folders and newest segments: nothing is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.records.segments import segments

_REST = 1.0
"""Seconds after a change in which another might bear the same time: file systems count it in milliseconds, or more."""

FileState = tuple[int, int, int, int]
"""Of a file or folder: the device and number, the time of its last change in nanoseconds, and its bytes."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """What is in a folder in this state of it: its folders, and the newest segment, None without one."""

    state: FileState
    folders: tuple[Path, ...]
    newest: Path | None


class Standstill:
    """Takes marks of the logs in `folder`, which holds one folder a writer, or is itself one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listings: dict[Path, _Listing] = {}

    def mark(self, now: float) -> tuple[FileState, ...] | None:
        """A value that is another once a log is written, begun, compressed or removed; None while that cannot be told.

        `now` is in seconds since the epoch. Who read to the end after a mark was taken has read all while the next is
        equal.
        """
        try:
            root = self._listing(self._folder, now)
            listings = [root, *(self._listing(folder, now) for folder in root.folders)]
            newest = [listing.newest for listing in listings if listing.newest is not None]
            states = (*(listing.state for listing in listings), *map(_state, newest))
        except OSError:
            return None
        return states if all(_is_at_rest(state, now) for state in states) else None

    def _listing(self, folder: Path, now: float) -> _Listing:
        state, known = _state(folder), self._listings.get(folder)
        if known is not None and known.state == state:
            return known
        last = segments(folder)[-1:]
        newest = next((path for segment in last for path in segment.paths if path.exists()), None)
        listing = _Listing(state, tuple(path for path in folder.iterdir() if path.is_dir()), newest)
        if _is_at_rest(state, now):  # else what came a moment later would not be in it
            self._listings[folder] = listing
        return listing


def _state(path: Path) -> FileState:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _is_at_rest(state: FileState, now: float) -> bool:
    return state[2] / 1e9 + _REST <= now
