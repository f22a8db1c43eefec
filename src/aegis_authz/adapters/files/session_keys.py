"""The keys that bind MCP sessions to their agents: a file that all workers read, and that may change under them."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError, load_session_keys
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused


class SessionKeyFile:
    """Reads the file when it is opened, and again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Raises KeyFolderError."""
        self._path = path
        self._stamp = (0, 0, 0)
        self._keys: tuple[bytes, ...] = ()
        self._refresh()

    def session_keys(self) -> tuple[bytes, ...]:
        """The keys, that of new sessions first. Raises Refused(INTERNAL_FAULT) when the file is gone or no good."""
        try:
            self._refresh()
        except KeyFolderError:
            raise Refused(Reason.INTERNAL_FAULT, "the keys of MCP sessions cannot be read") from None
        return self._keys

    def _refresh(self) -> None:
        try:
            state = self._path.stat()
        except OSError as fault:
            raise KeyFolderError(f"{self._path}: {fault.strerror}") from None
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
        if stamp != self._stamp:
            self._keys = load_session_keys(self._path)
            self._stamp = stamp
