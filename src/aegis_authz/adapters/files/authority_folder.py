"""The folder of the mesh's certificate authority: the one that signs, the next and the former, and whom to trust.

`signing.pem` and `next.pem` hold a key and its certificate, for their owner alone; `former.pem` a certificate.
`trusted.pem` holds the certificates of all of them, `bundle.pem` the public authorities as well: what clients are
given. `endorsements.pem` says of each authority that followed which one came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import (
    Authority,
    AuthorityUnreadable,
    MeshAuthorities,
    certificates_in,
    new_authority,
    read_authority,
)

SIGNING, NEXT, FORMER = "signing.pem", "next.pem", "former.pem"
TRUSTED, BUNDLE = "trusted.pem", "bundle.pem"
ENDORSEMENTS = "endorsements.pem"
_MOST_ENDORSEMENTS = 16
_PUBLIC = 0o644
_MOST_BYTES = 65_536


class RotationFault(Exception):
    """A step of a rotation that is not the next one; the message says which is."""


class AuthorityFile:
    """The authority that signs, read again when its file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0, 0)
        self._authority: Authority | None = None

    def __call__(self) -> Authority:
        """The authority now. Raises AuthorityUnreadable, OSError: a key that is gone signs nothing more."""
        state = self._path.stat()
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
        if self._authority is None or stamp != self._stamp:
            self._authority = _private(self._path)
            self._stamp = stamp
        return self._authority


@dataclass(frozen=True, slots=True)
class PublishedAuthorities:
    """What clients elsewhere may be told of the mesh's authorities, from the file of those that are trusted.

    Who followed whom is in the file beside it, where there is one.
    """

    trusted: Path

    def __call__(self) -> MeshAuthorities:
        """The certificates now. Raises AuthorityUnreadable, OSError."""
        followers = self.trusted.parent / ENDORSEMENTS
        endorsements = certificates_in(followers.read_bytes()) if followers.exists() else ()
        return MeshAuthorities(certificates_in(self.trusted.read_bytes()), endorsements)


class AuthorityFolder:
    """Makes, replaces and publishes the authorities of one mesh. `public` is the file of public authorities."""

    def __init__(self, folder: Path, public: Path) -> None:
        self._folder = folder
        self._public = public

    @property
    def bundle(self) -> Path:
        """What clients are given: the mesh's authorities and the public ones."""
        return self._folder / BUNDLE

    @property
    def trusted(self) -> Path:
        """The mesh's authorities alone."""
        return self._folder / TRUSTED

    def open(self, now: Epoch) -> Authority:
        """The authority that signs, made where there is none. Raises AuthorityUnreadable, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self._folder / SIGNING).exists():
            durable.create(self._folder / SIGNING, new_authority(now).to_pem())
        self._publish()
        return _private(self._folder / SIGNING)

    def signing(self) -> Authority:
        """The authority that signs. Raises AuthorityUnreadable, OSError."""
        return _private(self._folder / SIGNING)

    def upcoming(self) -> Authority | None:
        """The next one, where a rotation has begun."""
        path = self._folder / NEXT
        return _private(path) if path.exists() else None

    @property
    def has_former(self) -> bool:
        """Whether the one before is still trusted."""
        return (self._folder / FORMER).exists()

    def begin(self, now: Epoch, names: tuple[str, ...]) -> Authority:
        """Make the next one, trusted from now on; it signs nothing yet. Raises RotationFault, NotCertified, OSError."""
        if self.has_former:
            raise RotationFault("the last rotation is not over; end it with: aegis ca rotate --finish")
        begun = RotationFault("a rotation has begun; go on with: aegis ca rotate --sign")
        if (self._folder / NEXT).exists():
            raise begun
        authority = new_authority(now, names)
        # first, for nothing makes it later: an endorsement of a key that is nowhere helps nobody
        self._endorse(self.signing().endorse(authority, now))
        if not durable.create(self._folder / NEXT, authority.to_pem()):
            raise begun
        self._publish()
        return authority

    def switch(self) -> Authority:
        """Let the next one sign; the one before stays trusted. Raises RotationFault, AuthorityUnreadable, OSError."""
        authority = self.upcoming()
        if authority is None:
            raise RotationFault("no rotation has begun; begin one with: aegis ca rotate")
        signing = self.signing()
        if signing.fingerprint != authority.fingerprint:  # else an earlier switch stopped half-way
            durable.replace(self._folder / FORMER, signing.certificate, _PUBLIC)
            durable.replace(self._folder / SIGNING, authority.to_pem())
        (self._folder / NEXT).unlink()
        self._publish()
        return authority

    def finish(self) -> None:
        """Trust the former one no more. Raises RotationFault, OSError."""
        if not self.has_former:
            raise RotationFault("no former authority is trusted: there is nothing to end")
        (self._folder / FORMER).unlink()
        self._publish()

    def _endorse(self, endorsement: bytes) -> None:
        path = self._folder / ENDORSEMENTS
        former = certificates_in(path.read_bytes()) if path.exists() else ()
        durable.replace(path, b"".join((*former, endorsement)[-_MOST_ENDORSEMENTS:]), _PUBLIC)

    def _publish(self) -> None:
        certificates = [self.signing().certificate]
        upcoming = self.upcoming()
        if upcoming is not None:
            certificates.append(upcoming.certificate)
        if self.has_former:
            certificates += certificates_in((self._folder / FORMER).read_bytes())
        own = b"".join(dict.fromkeys(certificates))
        for path, content in ((self.trusted, own), (self.bundle, own + self._public.read_bytes())):
            if _differs(path, content):
                durable.replace(path, content, _PUBLIC)


def _differs(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() != content
    except FileNotFoundError:
        return True


def _private(path: Path) -> Authority:
    try:
        content = read_secret(path, _MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise AuthorityUnreadable("too long")
        return read_authority(content)
    except SecretUnusable as fault:
        raise AuthorityUnreadable(str(fault)) from None
    except AuthorityUnreadable as fault:
        raise AuthorityUnreadable(f"{path}: {fault}") from None
