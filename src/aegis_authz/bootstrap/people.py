"""The stores of people, and the code of the first owner."""

from __future__ import annotations

import logging
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import SqlPeople
from aegis_authz.adapters.sql.sign_in import SqlSignIn
from aegis_authz.control.people.signing_in import PeopleStores, SignIn

_log = logging.getLogger(__name__)

FIRST_OWNER_FILE = "first-owner.code"
"""Where the code of the first owner is until it is used: in the state folder, for the user of the control plane."""


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
