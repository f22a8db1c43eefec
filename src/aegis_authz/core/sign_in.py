"""How people prove who they are, as it is kept: never the secret, its hash alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

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


class CertificateKind(Enum):
    """What of a client certificate tells a person: all of it, by its SHA-256, or a name that its authority wrote in."""

    FINGERPRINT = "fingerprint"
    URI = "uri"
    EMAIL = "email"
    SUBJECT = "subject"


_FORMS: Mapping[CertificateKind, re.Pattern[str]] = {
    CertificateKind.FINGERPRINT: re.compile(r"[0-9a-f]{64}\Z"),
    CertificateKind.URI: re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,480}\Z"),
    CertificateKind.EMAIL: re.compile(r"[!-?A-~]{1,128}@[!-?A-~]{1,128}\Z"),
    CertificateKind.SUBJECT: re.compile(r"[^\x00-\x1f\x7f]{1,512}\Z"),
}


@dataclass(frozen=True, slots=True)
class CertificateName:
    """A name by which certificates are a person's. A subject is written as in RFC 4514, a fingerprint in hex."""

    kind: CertificateKind
    value: str

    def __post_init__(self) -> None:
        if _FORMS[self.kind].match(self.value) is None or not self.value.isprintable():
            raise ValueError(f"this is no {self.kind.value} of a certificate")

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.value}"


FAILURES_LIFE = Seconds(86_400.0)
"""After how long failures in a row are forgotten: many times the longest pause."""


FAILURES_LEAK = Seconds(300.0)
"""In how long one failure is forgotten: of an office that misspells once in a while, nobody waits for another. Whoever
guesses has as many tries as that, for the pauses between them are longer by then.
"""

PLACE_LIFE = Seconds(90 * 86_400.0)
"""After how long it is forgotten that somebody has signed in from a place."""


@dataclass(frozen=True, slots=True)
class Failures:
    """How often signing in failed under a name, less one for each FAILURES_LEAK until the last, and when that was."""

    count: float
    last: Epoch

    def one_more(self, now: Epoch) -> Failures:
        """With another at `now`."""
        return Failures(max(0.0, self.count - (now - self.last) / FAILURES_LEAK) + 1.0, now)
