"""Enrolment: a code that lets an agent bring its own key, once."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that was given out, at rest: `digest` is its SHA-256 in lower-case hex."""

    digest: str
    agent: Scope
    by: str
    expires_at: Epoch


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """The raw Ed25519 public key that an agent brought, when, and who had invited it."""

    agent: Scope
    raw_key: bytes
    enrolled_at: Epoch
    invited_by: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """All that enrolment keeps. Immutable: a change is another one."""

    invitations: tuple[Invitation, ...]
    keys: tuple[EnrolledKey, ...]

    def with_invitation(self, invitation: Invitation, now: Epoch) -> Enrolled:
        """This with one more invitation, and without those whose time is over."""
        valid = (candidate for candidate in self.invitations if candidate.expires_at > now)
        return Enrolled((*valid, invitation), self.keys)

    def invited_by(self, digest: str, now: Epoch) -> Invitation | None:
        """The invitation of the code with that digest, None when it is unknown, used or over."""
        return next((entry for entry in self.invitations if entry.digest == digest and entry.expires_at > now), None)

    def with_key(self, invitation: Invitation, key: EnrolledKey) -> Enrolled:
        """This with one more key, the invitation used up."""
        return Enrolled(tuple(entry for entry in self.invitations if entry != invitation), (*self.keys, key))


NOBODY_ENROLLED = Enrolled((), ())
