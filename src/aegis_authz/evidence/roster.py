"""The signed roster of all writers of a records folder: by it a log that is gone is missed.

A roster is a signed note as a checkpoint is (C2SP signed-note): the origin `aegis-roster`, how many records the writer
that made it had by then, the name of each writer, an empty line, and an Ed25519 signature line. A `~` stands before the
name of a writer that the roster of the key before names, and whose log has not come to this key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.checkpoint import CheckpointInvalid, sign_text, verify_text

MOST_WRITERS = 1000
_ORIGIN = "aegis-roster"
_NOTE = re.compile(
    r"(?P<text>aegis-roster\n(?P<begun_at>0|[1-9][0-9]{0,17})\n(?P<writers>(?:~?[A-Za-z0-9][A-Za-z0-9._-]{0,63}\n){1,1000}))"
    "\n\u2014 aegis-roster (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)


class RosterInvalid(ValueError):
    """The note is no roster of that key; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The names of all writers that ever began a log with one key, in order.

    `begun_at` is how many records the log of the writer that made the roster held by then: 0 but for a roster that was
    made anew, which knows nothing of writers that were removed before. `inherited` are those of the key before.
    """

    writers: tuple[str, ...]
    begun_at: int
    inherited: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Whose logs must be there."""
        return frozenset((*self.writers, *self.inherited))

    def with_writer(self, name: str) -> Roster:
        """The roster with that writer, too. Raises RosterInvalid when it is full."""
        writers = tuple(sorted({*self.writers, name}))
        inherited = tuple(other for other in self.inherited if other != name)
        if len(writers) + len(inherited) > MOST_WRITERS:
            raise RosterInvalid(f"the roster holds {MOST_WRITERS} writers and no more")
        return Roster(writers, self.begun_at, inherited)


def sign_roster(roster: Roster, key: Ed25519PrivateKey, public_key: bytes) -> bytes:
    """The signed note. `public_key` is the raw public half of `key`."""
    lines = "".join(f"{name}\n" for name in (*roster.writers, *(f"~{name}" for name in roster.inherited)))
    return sign_text(f"{_ORIGIN}\n{roster.begun_at}\n{lines}", _ORIGIN, key, public_key)


def read_roster(note: bytes, public_key: bytes) -> Roster:
    """The roster in a note signed by `public_key` (raw). Raises RosterInvalid."""
    try:
        match = _NOTE.fullmatch(note.decode("utf-8"))
        if match is None:
            raise RosterInvalid("not a roster")
        verify_text(match["text"], _ORIGIN, match["signature"], public_key)
    except UnicodeDecodeError:
        raise RosterInvalid("the roster is not text") from None
    except CheckpointInvalid as fault:
        raise RosterInvalid(str(fault).replace("checkpoint", "roster")) from None
    names = match["writers"].split()
    inherited = tuple(name[1:] for name in names if name.startswith("~"))
    return Roster(tuple(name for name in names if not name.startswith("~")), int(match["begun_at"]), inherited)
