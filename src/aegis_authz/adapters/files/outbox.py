"""The outbox of versions whose notices were in a file of their own: read once, to be taken into the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.core.notice import Notice, NoticeKind, NoticeState
from aegis_authz.core.units import Epoch

_VERSION = 1
_NOTICES = """
SELECT approval_id, place, kind, state, attempts, receipt, trouble, due, ended FROM notices ORDER BY rowid
"""


@dataclass(frozen=True, slots=True)
class FormerNotice:
    """A notice of before: `due` is when it is to be claimed next, `ended` when it was delivered or given up."""

    notice: Notice
    due: Epoch
    ended: Epoch | None


def former_notices(path: Path) -> list[FormerNotice]:
    """All notices of that file, in the order in which they were entered; none where there is no file.

    Raises OSError, also for the file of a version that nobody knows.
    """
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path)) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                raise sqlite3.DatabaseError(f"it is of version {version}, and this program knows {_VERSION}")
            return list(_read(database))
    except (sqlite3.Error, ValueError) as fault:
        raise OSError(f"{path} cannot be read as an outbox: {fault}") from None


def _read(database: sqlite3.Connection) -> Iterator[FormerNotice]:
    for approval_id, place, kind, state, attempts, receipt, trouble, due, ended in database.execute(_NOTICES):
        notice = Notice(approval_id, place, NoticeKind(kind), NoticeState(state), attempts, receipt, trouble)
        yield FormerNotice(notice, Epoch(due), None if ended is None else Epoch(ended))
