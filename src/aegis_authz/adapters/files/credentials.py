"""Credentials as files of a folder, as Kubernetes mounts secrets: ORG/TENANT/NAME."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import NAME, Scope

_LONGEST = 8192


class CredentialFolder:
    """Reads each secret when it is first wanted, and again when its file has changed.

    `folder` None holds nothing. A tenant reaches its own folder alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def secret(self, scope: Scope, name: str) -> str:
        """A secret of the agent's tenant: one line of printable ASCII, without the spaces and line ends around it.

        Raises Refused(OBLIGATION_UNMET).
        """
        if self._folder is None or not all(NAME.match(part) for part in (scope.org, scope.tenant, name)):
            raise Refused(Reason.OBLIGATION_UNMET, f"there is no credential {scope.tenant_path}/{name}")
        path = self._folder / scope.org / scope.tenant / name
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            entry = self._read.get(path)
            if entry is not None and entry[0] == stamp:
                return entry[1]
            value = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as fault:
            why = type(fault).__name__  # never the text: it may hold a part of the secret
            raise Refused(Reason.OBLIGATION_UNMET, f"credential {scope.tenant_path}/{name}: {why}") from None
        if not value or len(value) > _LONGEST or not value.isprintable():
            raise Refused(Reason.OBLIGATION_UNMET, f"credential {scope.tenant_path}/{name} is not one line of text")
        self._read[path] = (stamp, value)
        return value
