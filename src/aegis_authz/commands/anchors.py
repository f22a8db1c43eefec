"""Where the logs of records stood, out of the control plane's database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aegis_authz.adapters.sql.anchors import SqlRecordAnchors
from aegis_authz.adapters.sql.database import Database
from aegis_authz.bootstrap.database import database_url
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import unable_on
from aegis_authz.config.control import ControlSettings
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.ports.database import DatabaseFault

_PAGE = 1000


@unable_on(SettingsError, DatabaseFault, OSError)
def all_anchors(config: Path) -> bytes:
    """The anchors in the database of these settings of a control plane, a line each. Raises Unable."""
    return asyncio.run(_lines(load_settings(config, ControlSettings)))


async def _lines(settings: ControlSettings) -> bytes:
    database = Database(database_url(settings))
    try:
        database.require_file()
        store, lines, number = SqlRecordAnchors(database), [b""], 0
        while page := await store.anchors(number, _PAGE):
            lines += map(encode_anchor, page)
            number = page[-1].number
        return b"".join(lines)
    finally:
        await database.close()
