"""What versions of before kept in files of the state folder, taken into the database at the first start.

Nothing is lost and nothing is taken twice: files are put away once the database holds what is in them. Where a database
holds publications already that a folder does not know of, the two are not one mesh, and nothing is mixed.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import select

from aegis_authz.adapters.files.bundles import FormerReleases
from aegis_authz.adapters.files.enrolments import ENROLLED_FILE, read_enrolments
from aegis_authz.adapters.files.first_start import BEGUN_FILE, read_first_start
from aegis_authz.adapters.files.outbox import former_notices
from aegis_authz.adapters.files.revocations import REVOKED_FILE, read_revocations
from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.enrolments import keep_enrolled
from aegis_authz.adapters.sql.first_start import keep_beginning
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.adapters.sql.releases import append_change, keep_release, lock_changes
from aegis_authz.adapters.sql.revocations import keep_revocation
from aegis_authz.adapters.sql.tables import POLICY_CHANGES
from aegis_authz.core.release import Change, ReleasesFault
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import EnrolmentsFault

_log = logging.getLogger(__name__)
_OUTBOX_FILE = "outbox.db"
FORMER = "before-sql"
"""The folder, in the state, of files whose content is in the database by now. Nothing reads it; whoever likes deletes
it.
"""


def import_releases(state: Path, database: BlockingDatabase, now: Epoch) -> None:
    """Take what was published in files of before in, once. Raises ReleasesFault, DatabaseFault, OSError: then the files
    stay where they are, and nothing of them is in the database.
    """
    former = FormerReleases(state)
    if not former.paths:
        return
    changes = former.changes(now)
    with database.transaction() as connection:
        lock_changes(connection)
        row = connection.execute(select(POLICY_CHANGES).order_by(POLICY_CHANGES.c.number).limit(1)).first()
        if row is None:
            for release in former.releases():
                keep_release(connection, release.revision, release.bundle, release.sources)
            for change in changes:
                append_change(connection, change)
        elif changes and not _is_first(changes[0], row.at, row.revision):
            raise ReleasesFault(
                f"{state} holds publications of another mesh than the database does: "
                "name an empty database, or move bundles, sources, current and changes.jsonl away"
            )
    _put_away(*former.paths)
    _log.info("%d changes of what is published, of files in %s, are in the database now", len(changes), state)


def import_agents(state: Path, database: BlockingDatabase) -> None:
    """Take in the enrolled keys, the codes that are out, what is revoked and begun, of files of before, once.

    What is revoked by then stays so, and a code that was used by then is not good again: files are taken in before
    anything was published from the database. Raises EnrolmentsFault, RevocationListFault, DatabaseFault, OSError: then
    nothing is taken in.
    """
    paths = [path for path in (state / ENROLLED_FILE, state / REVOKED_FILE, state / BEGUN_FILE) if path.exists()]
    if not paths:
        return
    enrolled, revoked = read_enrolments(state / ENROLLED_FILE), read_revocations(state / REVOKED_FILE)
    begun = read_first_start(state / BEGUN_FILE)
    with database.transaction() as connection:
        lock_changes(connection)
        if connection.execute(select(POLICY_CHANGES.c.number).limit(1)).first() is not None:
            names = ", ".join(path.name for path in paths)
            raise EnrolmentsFault(
                f"{state} holds files of before ({names}), and the database another mesh already: "
                "name an empty database, or move the files away"
            )
        keep_enrolled(connection, enrolled)
        for revocation in revoked:
            keep_revocation(connection, revocation)
        if begun is not None:
            keep_beginning(connection, begun)
    _put_away(*paths)


async def import_outbox(state: Path, outbox: SqlOutbox) -> None:
    """Take the notices of the file of before in, once. Raises OSError, StoreDown: then the file stays where it is."""
    path = state / _OUTBOX_FILE
    if not path.exists():
        return
    notices = former_notices(path)
    for former in notices:
        await outbox.restore(former.notice, former.due, former.ended)
    _put_away(path)
    _log.info("%d notices of %s are in the database now", len(notices), path)


def _is_first(change: Change, at: float, revision: str) -> bool:
    """Whether the history of the database begins with that change: then it holds it, and all after it."""
    return (change.time, change.revision) == (at, revision)


def _put_away(*paths: Path) -> None:
    """Move files of the state folder into FORMER, over nothing that is there."""
    for path in paths:
        folder = path.parent / FORMER
        folder.mkdir(mode=0o700, exist_ok=True)
        number, target = 1, folder / path.name
        while target.exists():
            number, target = number + 1, folder / f"{path.name}.{number}"
        path.rename(target)
