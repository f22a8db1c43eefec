"""What is revoked, of versions of before: a file, read once, to be taken into the database."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import items, members, number, text
from aegis_authz.ports.control_plane import RevocationListFault

REVOKED_FILE = "revoked.json"
"""Its name in the state folder of a control plane."""


def read_revocations(path: Path) -> tuple[Revocation, ...]:
    """What the file holds, nothing where there is none. Raises RevocationListFault."""
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
