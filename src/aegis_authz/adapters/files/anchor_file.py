"""The copy of all anchors in a file: `ports.AnchorCopy`. Best on another machine, or where files can only grow."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor
from aegis_authz.evidence.anchors import AnchorInvalid, encode_anchor, read_anchor
from aegis_authz.ports.anchors import AnchorCopyFault

_LONGEST = 16 * 1024
"""Bytes: far more than a line of an anchor has."""


class AnchorFile:
    """A file of lines, written at its end alone. It has one writer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def last(self) -> tuple[int, str]:
        """The number and the hash of the last anchor in it, 0 and FIRST_PREVIOUS for none. Raises AnchorCopyFault."""
        return await asyncio.to_thread(self._last)

    async def append(self, anchors: Sequence[Anchor]) -> None:
        """Add these at the end, durable. Raises AnchorCopyFault."""
        await asyncio.to_thread(self._append, b"".join(map(encode_anchor, anchors)))

    def _last(self) -> tuple[int, str]:
        try:
            with self._path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _LONGEST)
                file.seek(start)
                lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):  # its writer died as it wrote that
                if start and len(lines) == 1:
                    raise AnchorCopyFault(f"{self._path}: its end is no line, and longer than any")
                os.truncate(self._path, self._path.stat().st_size - len(lines.pop()))
            if not lines:
                return 0, FIRST_PREVIOUS
            anchor = read_anchor(lines[-1])
        except FileNotFoundError:
            return 0, FIRST_PREVIOUS
        except OSError as fault:
            raise AnchorCopyFault(f"{self._path}: {fault.strerror}") from None
        except AnchorInvalid as fault:
            raise AnchorCopyFault(f"{self._path}: its last line is no anchor: {fault}") from None
        return anchor.number, anchor.hash

    def _append(self, data: bytes) -> None:
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            with os.fdopen(os.open(self._path, flags, 0o644), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            raise AnchorCopyFault(f"{self._path}: {fault.strerror}") from None
