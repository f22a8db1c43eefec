"""What a database says of its commits: SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.commit_marks import SqlCommitMarks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.adapters.sql.revocations import SqlRevocationList
from aegis_authz.adapters.sql.tables import FAILURES
from aegis_authz.control.commits import CommitWatch, look_at_commits
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.units import Epoch
from aegis_authz.ports.database import DatabaseFault
from tests.support.real_postgres import database_url

ANN = insert(FAILURES).values(name="ann", failures=1.0, last=1.0)


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await database_url(request, tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def marks(database: Database) -> AsyncIterator[SqlCommitMarks]:
    marks = SqlCommitMarks(database)
    yield marks
    marks.close()


async def test_nothing_is_new_while_nobody_commits(database: Database, marks: SqlCommitMarks) -> None:
    before = await marks.read()
    async with database.reading() as connection:
        await connection.execute(select(FAILURES))
    assert await marks.read() == before
    assert await SqlOutbox(database).claim("slack", 1.0, 2.0) is None
    assert await marks.read() == before


async def test_each_commit_makes_another_mark(database: Database, marks: SqlCommitMarks) -> None:
    seen = [await marks.read()]
    for statement in (ANN, delete(FAILURES), ANN):
        async with database.transaction() as connection:
            await connection.execute(statement)
        seen.append(await marks.read())
    assert len(set(seen)) == len(seen)


async def test_a_commit_of_another_process_or_thread_makes_another_mark(
    url: str, database: Database, marks: SqlCommitMarks
) -> None:
    before = await marks.read()
    with closing(BlockingDatabase(url)) as other, other.transaction() as connection:
        connection.execute(ANN)
    after = await marks.read()
    assert after != before
    assert await marks.read() == after


async def test_a_transaction_that_is_under_way_is_noticed_when_it_commits(
    url: str, database: Database, marks: SqlCommitMarks
) -> None:
    with closing(BlockingDatabase(url)) as other:
        with other.transaction() as connection:
            connection.execute(ANN)
            during = await marks.read()  # nobody can read what it has written yet
            assert await marks.read() == during
        assert await marks.read() != during


async def test_what_the_mark_says_is_new_can_be_read(database: Database, marks: SqlCommitMarks) -> None:
    mark = await marks.read()

    async def write() -> None:
        for number in range(20):
            async with database.transaction() as connection:
                await connection.execute(insert(FAILURES).values(name=f"p{number}", failures=1.0, last=1.0))

    writing = asyncio.create_task(write())
    count = 0
    async with asyncio.timeout(60):
        while count < 20:  # each row is seen by who reads after another mark alone, or the loop never ends
            if (now := await marks.read()) != mark:
                mark = now
                async with database.reading() as connection:
                    count = len((await connection.execute(select(FAILURES))).all())
            else:
                await asyncio.sleep(0)
    await writing


async def test_who_looks_at_commits_alone_misses_none_of_another_process(
    url: str, database: Database, marks: SqlCommitMarks
) -> None:
    commits, revoked = CommitWatch(marks), SqlRevocationList(reader := BlockingDatabase(url))
    agents = [Revoked(RevokedKind.AGENT, "acme", "emea", f"agent-{number}") for number in range(30)]

    def revoke() -> None:
        with closing(BlockingDatabase(url)) as other:
            for agent in agents:
                SqlRevocationList(other).add(Revocation(agent, "ann", Epoch(1.0)))

    async def refresh() -> None:
        revoked.refresh()

    looking = asyncio.create_task(look_at_commits(commits, refresh, (), lambda _: None))
    writing = asyncio.create_task(asyncio.to_thread(revoke))
    async with asyncio.timeout(20):  # sooner than anybody looks without a commit
        while len(revoked.current) < len(agents):
            await commits.look()
            await asyncio.sleep(0)
    await writing
    looking.cancel()
    reader.close()


async def test_a_database_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere.db")
    marks = SqlCommitMarks(database)
    with pytest.raises(DatabaseFault, match="nowhere"):
        await marks.read()
    assert list(tmp_path.iterdir()) == []
    await database.close()
