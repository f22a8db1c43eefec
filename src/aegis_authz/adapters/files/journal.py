"""The journal of issued tokens and refusals: a file of JSON lines, each on disk before its token leaves."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.issuance import Issuance
from aegis_authz.ports.control_plane import JournalFault


class FileJournal:
    """`ports.Journal` on a file that one process writes while it runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def write(self, issuance: Issuance) -> None:
        """Return once the line is on disk. Raises JournalFault."""
        line = json.dumps({name: value for name, value in asdict(issuance).items() if value not in ("", None)})
        async with self._lock:  # lines of threads that write at once must not mix
            try:
                await asyncio.shield(asyncio.to_thread(durable.append, self._path, line.encode("ascii") + b"\n"))
            except OSError as fault:
                raise JournalFault(f"{self._path}: {fault.strerror or fault}") from None
