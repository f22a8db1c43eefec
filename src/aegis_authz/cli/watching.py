"""Folders of documents that are being edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from aegis_authz.core.release import BINARY_SUFFIXES

_SUFFIXES = {".yaml", ".yml", ".json", *BINARY_SUFFIXES}


def each_change(folders: Sequence[Path], wait: Callable[[], None]) -> Iterator[None]:
    """At once, and again whenever a document below the folders was written, added or removed since the last time.

    `wait` is called between looks and decides how often there is one. Never ends by itself.
    """
    last_state: Mapping[Path, tuple[int, int]] | None = None
    while True:
        now = _state(folders)
        if now != last_state:
            last_state = now
            yield
        else:
            wait()


def _state(folders: Sequence[Path]) -> Mapping[Path, tuple[int, int]]:
    stamps = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in _SUFFIXES:
                stamps[path] = _stamp(path)
    return stamps


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # removed while looking
        return 0, 0
    return status.st_mtime_ns, status.st_size
