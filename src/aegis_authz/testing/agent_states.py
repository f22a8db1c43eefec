"""The memory twins of enrolments, of the list of what is revoked, and of what was begun once."""

from __future__ import annotations

from collections.abc import Iterable

from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.units import Epoch
from aegis_authz.testing.warning import warn_outside_tests


class MemoryEnrolments:
    """`ports.Enrolments` that forgets with the process."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self.current: Enrolled = NOBODY_ENROLLED

    def refresh(self) -> None:
        """Nothing: there is one copy."""

    def invite(self, invitation: Invitation, now: Epoch) -> None:
        """Keep one more code, and forget those whose time is over."""
        self.current = self.current.with_invitation(invitation, now)

    def enrol(self, invitation: Invitation, key: EnrolledKey) -> bool:
        """Keep the key and use the code up; False where either is used already."""
        is_open = any(entry.digest == invitation.digest for entry in self.current.invitations)
        if not is_open or any(entry.raw_key == key.raw_key for entry in self.current.keys):
            return False
        self.current = self.current.with_key(invitation, key)
        return True


class MemoryRevocationList:
    """`ports.RevocationList` that forgets with the process."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self.current: tuple[Revocation, ...] = ()

    def refresh(self) -> None:
        """Nothing: there is one copy."""

    def add(self, revocation: Revocation) -> None:
        """Keep one more, instead of the one of the same target."""
        self.remove([revocation.target])
        self.current = (*self.current, revocation)

    def remove(self, targets: Iterable[Revoked]) -> None:
        """Keep these no longer."""
        gone = set(targets)
        self.current = tuple(entry for entry in self.current if entry.target not in gone)


class MemoryFirstStart:
    """`ports.FirstStart` that forgets with the process."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._life: str | None = None

    def life(self) -> str | None:
        """The life of the store in which it was begun, "" once it was finished, None before."""
        return self._life

    def begin(self, life: str) -> None:
        """It is begun in this life of the store."""
        self._life = life

    def finish(self) -> None:
        """It was begun."""
        self._life = ""
