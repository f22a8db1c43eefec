"""Enrolled keys and open invitations of versions of before: a file, read once, to be taken into the database."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import raw_from_jwk
from aegis_authz.encoding.narrowing import items, mapping, members, number, text
from aegis_authz.ports.control_plane import EnrolmentsFault

_INVITATION = {"digest", "agent", "by", "expires_at"}
_KEY = {"agent", "jwk", "enrolled_at", "invited_by"}


ENROLLED_FILE = "enrolled.json"
"""Its name in the state folder of a control plane."""


def read_enrolments(path: Path) -> Enrolled:
    """What the file holds, nobody where there is none. Raises EnrolmentsFault."""
    try:
        data = strict_json.parse_object(path.read_bytes())
        parts = members(data, {"invitations", "keys"}, "the file")
        return Enrolled(
            tuple(_invitation(entry) for entry in items(parts["invitations"], "invitations")),
            tuple(_key(entry) for entry in items(parts["keys"], "keys")),
        )
    except FileNotFoundError:
        return NOBODY_ENROLLED
    except (OSError, Refused, ValueError) as fault:
        raise EnrolmentsFault(f"{path}: cannot be read: {fault}") from None


def _invitation(data: Json) -> Invitation:
    entry = members(data, _INVITATION, "an invitation")
    expires_at = Epoch(float(number(entry["expires_at"], "expires_at")))
    return Invitation(
        text(entry["digest"], "digest"), Scope.parse(text(entry["agent"], "agent")), text(entry["by"], "by"), expires_at
    )


def _key(data: Json) -> EnrolledKey:
    entry = members(data, _KEY, "a key")
    return EnrolledKey(
        Scope.parse(text(entry["agent"], "agent")),
        raw_from_jwk(mapping(entry["jwk"], "jwk")),
        Epoch(float(number(entry["enrolled_at"], "enrolled_at"))),
        text(entry["invited_by"], "invited_by"),
    )
