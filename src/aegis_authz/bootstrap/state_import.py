"""What versions of before kept in files of the state folder, taken into the database at the first start."""

from __future__ import annotations

import logging
from pathlib import Path

from aegis_authz.adapters.files.outbox import former_notices
from aegis_authz.adapters.sql.outbox import SqlOutbox

_log = logging.getLogger(__name__)
_OUTBOX_FILE = "outbox.db"
FORMER = "before-sql"
"""The folder, in the state, of files whose content is in the database by now. Nothing reads it; whoever likes deletes
it.
"""


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


def _put_away(*paths: Path) -> None:
    """Move files of the state folder into FORMER, over nothing that is there."""
    for path in paths:
        folder = path.parent / FORMER
        folder.mkdir(mode=0o700, exist_ok=True)
        number, target = 1, folder / path.name
        while target.exists():
            number, target = number + 1, folder / f"{path.name}.{number}"
        path.rename(target)
