"""Deliver notices of ten held calls from an outbox on disk to a Slack at the given URL, until this process is ended."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from aegis_authz.adapters.channels.slack import SlackChannel
from aegis_authz.adapters.sql.alerts import SqlAlerts
from aegis_authz.adapters.sql.commit_marks import SqlCommitMarks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.settlement import Settlement
from aegis_authz.notices.delivery import Courier
from aegis_authz.testing.store import MemoryStore
from tests.support.held_calls import REQUEST

CALLS = 10


async def main(folder: Path, url: str) -> None:
    clock = SystemClock()
    store = MemoryStore(clock, 60, for_tests=True)
    now = clock.now()  # after the store begins, or it takes what is issued for older than its memory
    for number in range(CALLS):
        request = replace(REQUEST, id=f"apr_{number:034x}", digest=f"d{number}", requested_at=now, expires_at=now + 900)
        who = Identity(REQUEST.scope, "aegis", "k", f"j{number}", now, now + 60, (), "", Way.TOKEN, None, "", None)
        await store.settle(Settlement(who, None, request, now, (), None, None, None), 0)
    database = Database(f"sqlite:///{folder / 'control.db'}")
    await database.migrate()
    commits = CommitWatch(SqlCommitMarks(database))
    watching = asyncio.create_task(commits.watch())
    outbox = SqlOutbox(database)
    await outbox.end_claims(now)
    channel = SlackChannel("xoxb-test", "https://aegis.acme.example", f"{url}/api")
    alerts = SqlAlerts(database)
    await Courier(outbox, store, store.get, alerts, {"slack": channel}, clock, lambda channel, outcome: None).watch(
        commits
    )
    await watching


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
