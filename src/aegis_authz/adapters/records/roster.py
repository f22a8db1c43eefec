"""The file of the roster: `DIR/records/roster-<key>.note`, kept by each writer as it starts."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.evidence.roster import Roster, RosterInvalid, read_roster, sign_roster

_LOCK = "roster.lock"
_MOST_BYTES = 128 * 1024


def roster_file(records: Path, public_key: bytes) -> Path:
    """Where the roster of the writers that sign with this key (raw) lies."""
    return records / f"roster-{hashlib.sha256(public_key).hexdigest()[:16]}.note"


def load_roster(records: Path, public_key: bytes) -> Roster | None:
    """The roster of a key, None when there is none. Raises RosterInvalid, OSError."""
    path = roster_file(records, public_key)
    if not path.exists():
        return None
    with path.open("rb") as file:
        return read_roster(file.read(_MOST_BYTES), public_key)


def require_new(records: Path, writer: str, public_keys: Iterable[bytes]) -> None:
    """Raises LogAltered when a roster of these keys names the writer: its log is gone, and a new one would hide that.

    Raises OSError.
    """
    for public_key in public_keys:
        try:
            roster = load_roster(records, public_key)
        except RosterInvalid as fault:
            raise LogAltered(f"{roster_file(records, public_key)} cannot be continued: {fault}") from None
        if roster is not None and writer in roster.names:
            raise LogAltered(
                f"the log of {writer} is gone, which {roster_file(records, public_key)} names: bring it back, "
                f"or begin all logs anew by moving the whole of {records} away"
            )


def enrol(records: Path, writer: str, key: Ed25519PrivateKey, size: int, former: bytes | None = None) -> None:
    """Enter a writer, whose log has `size` records, in the roster of its key, making that if need be.

    With `former` the log comes from the key of that raw public half, whose roster this one takes over.

    Raises LogAltered when the roster is not as a writer left it, OSError.
    """
    public_key = key.public_key().public_bytes_raw()
    with _locked(records):
        try:
            roster = load_roster(records, public_key) or _first(records, size, former)
            if writer in roster.writers:
                return
            note = sign_roster(roster.with_writer(writer), key, public_key)
        except RosterInvalid as fault:
            raise LogAltered(f"{roster_file(records, public_key)} cannot be continued: {fault}") from None
        durable.replace(roster_file(records, public_key), note)


def _first(records: Path, size: int, former: bytes | None) -> Roster:
    """The roster that a key begins with. Raises RosterInvalid, OSError."""
    if former is None:
        return Roster((), size)
    before = load_roster(records, former)
    return Roster((), size) if before is None else Roster((), before.begun_at, tuple(sorted(before.names)))


@contextmanager
def _locked(records: Path) -> Iterator[None]:
    with (records / _LOCK).open("wb") as lock:
        (records / _LOCK).chmod(0o600)
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        yield
