"""Whether a control plane has begun the memory of limits before: a file beside what it keeps."""

from __future__ import annotations

from pathlib import Path

from aegis_authz import durable

_TEXT = b"The memory of limits was begun. Without this file the next start takes Redis for a new one.\n"


class FileFirstStart:
    """`ports.FirstStart` on a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_first(self) -> bool:
        """Whether it was never marked."""
        return not self._path.exists()

    def mark(self) -> None:
        """Remember it. Raises OSError."""
        durable.replace(self._path, _TEXT)
