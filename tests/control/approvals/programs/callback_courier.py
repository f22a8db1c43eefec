"""Post callbacks of ten settled calls from a database on disk to the given URL, until this process is ended."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from aegis_authz.adapters.channels.callbacks import CallbackPlace, HttpCallbackSender
from aegis_authz.adapters.sql.callbacks import SqlCallbacks
from aegis_authz.adapters.sql.commit_marks import SqlCommitMarks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.approvals.callbacks import ENDINGS, CallbackCourier, CallbackServices
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.held_calls import REQUEST
from tests.support.people import person

CALLS = 10


async def stands(approval_id: ApprovalId) -> Approval:
    return Approval(replace(REQUEST, id=approval_id), ApprovalState.DENIED, "ann", Epoch(1.0), (), None)


async def main(folder: Path, url: str) -> None:
    clock, people = SystemClock(), MemoryPeople(for_tests=True)
    await people.add(Account(person("pep", "owner"), is_disabled=False, created=Epoch(1.0)))
    database = Database(f"sqlite:///{folder / 'control.db'}")
    await database.migrate()
    commits = CommitWatch(SqlCommitMarks(database))
    watching = asyncio.create_task(commits.watch())
    store = SqlCallbacks(database)
    await store.end_claims(clock.now())
    for number in range(CALLS):
        name = f"apr_{number:034x}"
        await store.enter(Callback(name, url, "pep", None, ENDINGS, CallbackState.WATCHING, 0, ""))
    sender = HttpCallbackSender({url: CallbackPlace(b"k" * 32, is_internal=True)}, clock)
    services = CallbackServices(store, sender, {url: frozenset({"pep"})})
    await CallbackCourier(services, stands, people, clock, lambda channel, outcome: None, url).watch(commits)
    await watching


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
