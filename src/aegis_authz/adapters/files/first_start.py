"""How far a control plane has begun the memory of limits: a file beside what it keeps."""

from __future__ import annotations

import re
from pathlib import Path

from aegis_authz import durable

_FINISHED = b"The memory of limits was begun. Without this file the next start takes Redis for a new one.\n"
_BEGUN = re.compile(rb"The memory of limits is being begun in the life ([0-9A-Za-z]{1,64}) of Redis\.\n")


class FileFirstStart:
    """`ports.FirstStart` on a file. A file that says neither reads as finished: then nothing is taken for new."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def life(self) -> str | None:
        """The life of the store in which it was begun, "" once it was finished, None before. Raises OSError."""
        try:
            match = _BEGUN.fullmatch(self._path.read_bytes())
        except FileNotFoundError:
            return None
        return "" if match is None else match[1].decode("ascii")

    def begin(self, life: str) -> None:
        """It is begun in this life of the store. Raises OSError."""
        durable.replace(
            self._path, f"The memory of limits is being begun in the life {life} of Redis.\n".encode("ascii")
        )

    def finish(self) -> None:
        """It was begun. Raises OSError."""
        durable.replace(self._path, _FINISHED)
