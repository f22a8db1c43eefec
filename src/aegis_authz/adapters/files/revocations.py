"""What is revoked, on disk: it outlives Redis and its data. One file, replaced whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import items, members, number, text
from aegis_authz.ports.control_plane import RevocationListFault


class FileRevocationList:
    """`ports.RevocationList` on a file of a process that owns its folder."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one. Raises RevocationListFault."""
        self._path = path
        self._current = _read(path)

    @property
    def current(self) -> tuple[Revocation, ...]:
        """What is kept."""
        return self._current

    def replace(self, revocations: Sequence[Revocation]) -> None:
        """Keep these instead. Raises RevocationListFault, and then all is as it was."""
        data = [{"mark": entry.target.mark, "by": entry.by, "at": entry.at} for entry in revocations]
        try:
            durable.replace(self._path, json.dumps({"revoked": data}, indent=1).encode("ascii") + b"\n")
        except OSError as fault:
            raise RevocationListFault(f"{self._path}: {fault.strerror or fault}") from None
        self._current = tuple(revocations)


def _read(path: Path) -> tuple[Revocation, ...]:
    try:
        data = members(strict_json.parse_object(path.read_bytes()), {"revoked"}, "the file")
        return tuple(_revocation(entry) for entry in items(data["revoked"], "revoked"))
    except FileNotFoundError:
        return ()
    except (OSError, Refused, ValueError) as fault:
        raise RevocationListFault(f"{path}: cannot be read: {fault}") from None


def _revocation(data: Json) -> Revocation:
    entry = members(data, {"mark", "by", "at"}, "a revocation")
    at = Epoch(float(number(entry["at"], "at")))
    return Revocation(Revoked.parse(text(entry["mark"], "mark")), text(entry["by"], "by"), at)
