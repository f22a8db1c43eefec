"""Enrolled keys and open invitations: one file, replaced whole, of a process that owns its folder."""

from __future__ import annotations

import json
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk
from aegis_authz.encoding.narrowing import items, mapping, members, number, text
from aegis_authz.ports.control_plane import EnrolmentsFault

_INVITATION = {"digest", "agent", "by", "expires_at"}
_KEY = {"agent", "jwk", "enrolled_at", "invited_by"}


class FileEnrolments:
    """`ports.Enrolments` on a file."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one. Raises EnrolmentsFault."""
        self._path = path
        self._current = _read(path)

    @property
    def current(self) -> Enrolled:
        """What is kept."""
        return self._current

    def replace(self, enrolled: Enrolled) -> None:
        """Keep this instead. Raises EnrolmentsFault, and then all is as it was."""
        data = {
            "invitations": [_invitation_to_data(invitation) for invitation in enrolled.invitations],
            "keys": [_key_to_data(key) for key in enrolled.keys],
        }
        try:
            durable.replace(self._path, json.dumps(data, indent=1).encode("ascii") + b"\n")
        except OSError as fault:
            raise EnrolmentsFault(f"{self._path}: {fault.strerror or fault}") from None
        self._current = enrolled


def _read(path: Path) -> Enrolled:
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


def _invitation_to_data(invitation: Invitation) -> Json:
    return {
        "digest": invitation.digest,
        "agent": str(invitation.agent),
        "by": invitation.by,
        "expires_at": invitation.expires_at,
    }


def _invitation(data: Json) -> Invitation:
    entry = members(data, _INVITATION, "an invitation")
    expires_at = Epoch(float(number(entry["expires_at"], "expires_at")))
    return Invitation(
        text(entry["digest"], "digest"), Scope.parse(text(entry["agent"], "agent")), text(entry["by"], "by"), expires_at
    )


def _key_to_data(key: EnrolledKey) -> Json:
    return {
        "agent": str(key.agent),
        "jwk": dict(okp_jwk(key.raw_key)),
        "enrolled_at": key.enrolled_at,
        "invited_by": key.invited_by,
    }


def _key(data: Json) -> EnrolledKey:
    entry = members(data, _KEY, "a key")
    return EnrolledKey(
        Scope.parse(text(entry["agent"], "agent")),
        raw_from_jwk(mapping(entry["jwk"], "jwk")),
        Epoch(float(number(entry["enrolled_at"], "enrolled_at"))),
        text(entry["invited_by"], "invited_by"),
    )
