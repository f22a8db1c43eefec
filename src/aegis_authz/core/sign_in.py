"""How people prove who they are, as it is kept: never the secret, its hash alone."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.person import RoleBinding
from aegis_authz.core.units import Epoch, Seconds


@dataclass(frozen=True, slots=True)
class Session:
    """A person who signed in, until `expires`. `hash` is the SHA-256 of the secret in the cookie, in hex."""

    hash: str
    person_id: str
    created: Epoch
    expires: Epoch


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a program acts by as a person, until `expires`: with these roles, and never with more than the person has.

    `hash` is the SHA-256 of its secret, in hex; `label` says what it is for.
    """

    id: str
    hash: str
    person_id: str
    label: str
    roles: tuple[RoleBinding, ...]
    created: Epoch
    expires: Epoch
    is_revoked: bool


FAILURES_LIFE = Seconds(86_400.0)
"""After how long failures in a row are forgotten: many times the longest pause."""


PLACE_LIFE = Seconds(90 * 86_400.0)
"""After how long it is forgotten that somebody has signed in from a place."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row signing in failed under a name, and when last."""

    count: int
    last: Epoch
