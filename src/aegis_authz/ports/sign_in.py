"""Where it is kept how people prove who they are: hashes of passwords, sessions, API keys and one-time codes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from aegis_authz.core.sign_in import ApiKey, CertificateName, Failures, Session
from aegis_authz.core.units import Epoch


class SignInStore(Protocol):
    """Every method may raise DatabaseFault. What is secret is given as its hash alone."""

    async def set_password(self, person_id: str, password_hash: str) -> None:
        """Keep this instead; "" for none. Raises PersonUnknown."""
        ...

    async def password_hash(self, person_id: str) -> str:
        """What was set, "" for none. Raises PersonUnknown."""
        ...

    async def open_session(self, session: Session) -> None:
        """Keep a session; those that are over are forgotten. Raises PersonUnknown."""
        ...

    async def session(self, session_hash: str) -> Session | None:
        """The session of that hash, over or not."""
        ...

    async def end_session(self, session_hash: str) -> None:
        """Forget it, if there is one."""
        ...

    async def end_sessions(self, person_id: str) -> None:
        """Forget all of a person."""
        ...

    async def add_key(self, key: ApiKey) -> None:
        """Keep a key. Raises PersonUnknown."""
        ...

    async def key(self, key_id: str) -> ApiKey | None:
        """The key of that id, over and revoked ones included."""
        ...

    async def keys(self) -> list[ApiKey]:
        """All of them, the newest first."""
        ...

    async def revoke_key(self, key_id: str) -> bool:
        """End it; returns whether that was still to be done."""
        ...

    async def put_code(self, code_hash: str, person_id: str, expires: Epoch) -> None:
        """Keep a code that lets a person set a password, once; it replaces those of before. "" is the first owner."""
        ...

    async def add_code(self, code_hash: str, person_id: str, now: Epoch, expires: Epoch) -> None:
        """Keep a code beside those of before, and of the person's none whose time is over by now."""
        ...

    async def end_codes(self, person_id: str) -> None:
        """Forget all codes of a person."""
        ...

    async def take_code(self, code_hash: str, now: Epoch) -> str | None:
        """Whose code it is, which it is no more; None when there is none or its time is over."""
        ...

    async def add_certificate(self, person_id: str, name: CertificateName) -> None:
        """Note that certificates of this name are the person's. Raises PersonUnknown, PersonConflict."""
        ...

    async def remove_certificate(self, person_id: str, name: CertificateName) -> bool:
        """Forget that; returns whether that was still to be done."""
        ...

    async def certificates(self, person_id: str) -> list[CertificateName]:
        """The names of the person's certificates, in order."""
        ...

    async def certificate_holders(self, names: Collection[CertificateName]) -> frozenset[str]:
        """Whose certificates of any of these names are."""
        ...

    async def failures(self, name: str) -> Failures:
        """How often in a row signing in has failed for that name."""
        ...

    async def note_failure(self, name: str, now: Epoch) -> None:
        """Count one more, and forget what is older than FAILURES_LIFE, of whatever name."""
        ...

    async def note_place(self, person_id: str, network: str, now: Epoch) -> None:
        """Keep that the person has signed in from there, and forget where that is longer ago than PLACE_LIFE.

        Raises PersonUnknown.
        """
        ...

    async def has_place(self, person_id: str, network: str, now: Epoch) -> bool:
        """Whether the person has signed in from there within PLACE_LIFE."""
        ...

    async def forget_failures(self, name: str) -> None:
        """Begin from none."""
        ...
