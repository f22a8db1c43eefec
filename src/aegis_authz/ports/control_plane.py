"""What the control plane needs from outside, beside `aegis_authz.ports.data_plane`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.charge import Account, Charge
from aegis_authz.core.enrolment import Enrolled, EnrolledKey, Invitation
from aegis_authz.core.issuance import Issuance
from aegis_authz.core.release import Change, Sources
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Revision, Seconds
from aegis_authz.encoding.verifying_key import VerifyingKey


class Releases(Protocol):
    """Every revision ever published, unchangeable, with the policy tests that came along, and which one is served, for
    all control planes that share it.

    Calls block on the disk. Every method may raise ReleasesFault.
    """

    def current(self) -> Revision:
        """The revision served, "" before the first."""
        ...

    def bundle(self, revision: Revision) -> bytes:
        """The signed bundle of a revision. Raises RevisionUnknown."""
        ...

    def digest(self, revision: Revision) -> str:
        """SHA-256 of the signed bundle, in hex: another signature makes another. Raises RevisionUnknown."""
        ...

    def sources(self, revision: Revision) -> Sources:
        """The documents of a revision. Raises RevisionUnknown."""
        ...

    def tests(self, revision: Revision) -> Mapping[str, str]:
        """The policy tests of a revision by path, none where it came without. Raises RevisionUnknown."""
        ...

    def keep_tests(self, revision: Revision, tests: Mapping[str, str]) -> None:
        """Keep these as the policy tests of a revision, in place of those before. Raises RevisionUnknown."""
        ...

    def keep(self, revision: Revision, bundle: bytes, sources: Sources) -> None:
        """Store a revision; one that is there already stays as it is. Raises ValueError for a bad name."""
        ...

    def resign(self, revision: Revision, bundle: bytes) -> None:
        """Keep the same bundle under another signature. Raises RevisionUnknown."""
        ...

    def activate(self, change: Change) -> None:
        """Log the change and serve `change.revision`, in one step.

        Raises RevisionUnknown, and ReleaseConflict where what is served is not `change.previous`: then nothing is done.
        """
        ...

    def activate_proposal(self, change: Change, proposal_id: str, confirmed_by: str) -> None:
        """The same, and the proposal that waits is published by that, in the same step.

        Raises what `activate` does, and ProposalConflict where it waits no more: then nothing is done.
        """
        ...

    def note(self, change: Change) -> None:
        """Log a change that leaves what is served as it is."""
        ...

    def changes(self) -> list[Change]:
        """The change log, newest first."""
        ...


class Routes(Protocol):
    """The proxy's way to the tools."""

    def show(self, catalogue: Catalogue) -> None:
        """Have calls forwarded as this catalogue says, from now on. Raises OSError, ValueError."""
        ...


class Revocations(Protocol):
    """What is revoked, as calls are settled: refused whatever policy says, from the next call on."""

    async def revoke(self, revocation: Revocation) -> None:
        """Refuse every call it is about; a second time takes the newer name and time. Raises StoreDown."""
        ...

    async def restore(self, target: Revoked) -> bool:
        """Take a revocation back; returns whether there was one. Raises StoreDown."""
        ...

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        ...

    async def is_whole(self) -> bool:
        """Whether nothing can have been forgotten since `declare_whole`. Raises StoreDown."""
        ...

    async def declare_whole(self) -> None:
        """Say that all that is revoked has been told since `is_whole` was asked last. Raises StoreDown.

        What the store forgets between the two counts as forgotten afterwards.
        """
        ...


class LimitMemory(Protocol):
    """What is used of limits, and whether it counts."""

    async def is_counted(self) -> bool:
        """Whether nothing that was charged counts as forgotten. Raises StoreDown."""
        ...

    async def life(self) -> str:
        """A name of the time in which the store can have forgotten nothing by itself. Raises StoreDown."""
        ...

    async def declare_counted(self) -> None:
        """Count nothing that was charged as forgotten, in this life of the store. Raises StoreDown."""
        ...


class LimitAccounts(Protocol):
    """How limits stand."""

    async def accounts(self, scope: Scope, charges: Sequence[Charge], now: Epoch) -> list[Account]:
        """How the limits of these charges, which use nothing, stand, in their order. Raises StoreDown."""
        ...


class Quarantines(Protocol):
    """Who is quarantined, by breakers as calls are settled or by hand."""

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Refuse every call of the agent until then. Raises StoreDown."""
        ...

    async def release(self, scope: Scope, now: Epoch) -> bool:
        """Let policy judge the agent again; returns whether it was quarantined. Raises StoreDown."""
        ...

    async def quarantines(self, now: Epoch) -> list[Quarantine]:
        """Who is quarantined, those that are for longest first. Raises StoreDown."""
        ...


class FirstStart(Protocol):
    """How far the memory of limits was begun, on a disk that outlives the store.

    Calls block on the disk. Every method may raise OSError.
    """

    def life(self) -> str | None:
        """The life of the store in which it was begun and not yet finished; "" once it was, None before all that."""
        ...

    def begin(self, life: str) -> None:
        """It is begun in this life of the store."""
        ...

    def finish(self) -> None:
        """It was begun: whatever is missing from now on was forgotten."""
        ...


class RevocationList(Protocol):
    """What is revoked, on a disk that outlives the store; all control planes that share it have one list.

    All but `current` blocks on the disk, and may raise RevocationListFault: then all is as it was.
    """

    @property
    def current(self) -> tuple[Revocation, ...]:
        """What was read or written last; asks nobody."""
        ...

    def refresh(self) -> None:
        """Read what is kept by now, by other control planes too."""
        ...

    def add(self, revocation: Revocation) -> None:
        """Keep one more, instead of the one of the same target."""
        ...

    def remove(self, targets: Iterable[Revoked]) -> None:
        """Keep these no longer."""
        ...


class RevocationListFault(Exception):
    """The list of what is revoked cannot be read or kept; the message is fit to show."""


class SingleUses(Protocol):
    """What may be shown once: ids of assertions, proofs and tokens of others."""

    async def claim(self, kind: str, name: str, life: Seconds, holder: str) -> str:
        """Remember for `life` that `holder` has shown the `name` of this kind.

        Returns who holds it: `holder` when it is the first, else whoever was. Raises StoreDown.
        """
        ...


class Journal(Protocol):
    """Every token that was issued, and every refusal to issue one."""

    async def write(self, issuance: Issuance) -> None:
        """Return once the line is on disk. Raises JournalFault."""
        ...


class JournalFault(Exception):
    """The journal cannot be written; the message is fit to show."""


class Enrolments(Protocol):
    """Keys that agents brought themselves, and the codes that are out for more, of all control planes that share them.

    All but `current` blocks on the disk, and may raise EnrolmentsFault: then all is as it was.
    """

    @property
    def current(self) -> Enrolled:
        """All that was read or written last, the same object while nothing changed; asks nobody."""
        ...

    def refresh(self) -> None:
        """Read what is kept by now, by other control planes too."""
        ...

    def invite(self, invitation: Invitation, now: Epoch) -> None:
        """Keep one more code, and forget those whose time is over."""
        ...

    def enrol(self, invitation: Invitation, key: EnrolledKey) -> bool:
        """Keep the key and use the code up, in one step; False where either is used already: nothing is done."""
        ...


class EnrolmentsFault(Exception):
    """What is enrolled cannot be read or kept; the message is fit to show."""


class KeySets(Protocol):
    """The public keys that other issuers publish."""

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        """The keys of the set at this URL, at least one. Raises KeysUnavailable."""
        ...

    async def discover(self, issuer: str) -> str:
        """The URL of its keys, as the issuer itself says it (OpenID Connect Discovery 1.0). Raises KeysUnavailable."""
        ...


class TokenReviews(Protocol):
    """Clusters that say of their own tokens whether they are good, revoked ones included."""

    async def user(self, cluster: str, token: str, audience: str) -> str:
        """Whose token it is by the cluster of this name, "" when it is not good there for this audience.

        Raises ReviewUnavailable.
        """
        ...


class ReviewUnavailable(Exception):
    """A cluster cannot be asked about a token; the message is for the log and holds no token."""


class KeysUnavailable(Exception):
    """The keys of an issuer cannot be fetched; the message is for the log."""
