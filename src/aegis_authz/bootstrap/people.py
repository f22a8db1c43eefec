"""The control plane's database, opened and brought up to date, and the code of the first owner."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from aegis_authz import durable
from aegis_authz.adapters.files.process_lock import ProcessLock
from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import SqlPeople
from aegis_authz.adapters.sql.sign_in import SqlSignIn
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.signing_in import PeopleStores, SignIn

_log = logging.getLogger(__name__)

DATABASE_FILE = "control.db"
FIRST_OWNER_FILE = "first-owner.code"
"""Where the code of the first owner is until it is used: in the state folder, for the user of the control plane."""


def database_url(settings: ControlSettings) -> str:
    """Where the database is."""
    return settings.database or f"sqlite:///{settings.state.resolve() / DATABASE_FILE}"


def hold_places(settings: ControlSettings, stack: AsyncExitStack) -> None:
    """Keep every other control plane from this state folder, and from this database where it is one of SQLite.

    Raises PlaceBusy, OSError.
    """
    lock = ProcessLock(settings.state / "lock", str(settings.state))
    stack.callback(lock.close)
    url = make_url(database_url(settings))
    if url.get_backend_name() == "sqlite" and url.database:
        file = Path(url.database)
        place = f"{file}: several of them share a PostgreSQL, not a file of SQLite"
        stack.callback(ProcessLock(file.with_name(f"{file.name}.lock"), place).close)


@asynccontextmanager
async def open_database(settings: ControlSettings) -> AsyncIterator[Database]:
    """The settings' database, until the block ends. Raises DatabaseFault."""
    database = Database(database_url(settings))
    try:
        await database.migrate()
        yield database
    finally:
        await database.close()


def people_stores(database: Database) -> PeopleStores:
    """The stores of people on that database."""
    return PeopleStores(SqlPeople(database), SqlSignIn(database), SqlChangeLog(database), database)


async def offer_first_owner(state: Path, stores: PeopleStores, sign_in: SignIn) -> None:
    """While there is nobody: make a code by which the first owner signs up, and leave it in a file that only the user
    of this process reads. Each start makes a new one, and those before are worth nothing. Raises DatabaseFault,
    OSError.
    """
    path = state / FIRST_OWNER_FILE
    path.unlink(missing_ok=True)
    if await stores.people.accounts():
        return
    code, _ = await sign_in.make_code("")
    durable.create(path, code.encode("ascii") + b"\n")
    _log.info("nobody signs in yet: the first owner does with the code in %s (aegis login --first)", path)
