from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, select

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.tables import FAILURES, METADATA, PEOPLE
from aegis_authz.ports.database import DatabaseFault
from tests.support.real_postgres import new_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


async def made(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    try:
        await database.migrate()
    finally:
        await database.close()


async def test_the_migrations_make_the_tables_that_the_code_reads(file: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    database = Database(f"sqlite:///{file}")
    await database.migrate()
    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_a_database_is_brought_up_to_date_once(file: Path) -> None:
    await made(file)
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("INSERT INTO failures VALUES ('ann', 1, 1.0)")
        raw.commit()
    await made(file)
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT count(*) FROM failures").fetchone() == (1,)
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_is_for_its_user_alone_to_read(file: Path) -> None:
    await made(file)
    database = Database(f"sqlite:///{file}")
    async with database.transaction():
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    await database.close()
    assert set(modes.values()) == {0o600}, modes


async def test_a_file_in_no_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFault, match="nowhere"):
        await made(tmp_path / "nowhere" / "control.db")


async def test_a_database_of_a_newer_version_is_left_as_it_is(file: Path) -> None:
    await made(file)
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    with pytest.raises(DatabaseFault, match=r"newer version of Aegis \(it is at 9999\): start that version"):
        await made(file)
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


async def test_what_fails_in_the_middle_leaves_nothing(file: Path) -> None:
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("CREATE TABLE outbox (id text)")
    with pytest.raises(DatabaseFault, match="outbox"):
        await made(file)
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("outbox",)]


@pytest.mark.parametrize("verb", ["UPDATE change_log SET reason = 'x'", "DELETE FROM change_log"])
async def test_the_database_itself_keeps_the_change_log(file: Path, verb: str) -> None:
    await made(file)
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("INSERT INTO change_log VALUES (1, 1, 'ann', 'a', 's', '*', '', '0', 'h')")
        with pytest.raises(sqlite3.IntegrityError, match="stays as it was written"):
            raw.execute(verb)


@pytest.mark.parametrize("verb", ["UPDATE record_anchors SET size = 1", "DELETE FROM record_anchors"])
async def test_the_database_itself_keeps_the_anchors(file: Path, verb: str) -> None:
    await made(file)
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("INSERT INTO record_anchors VALUES (1, 1, 'gw-0', 'authz-0', 'f', 7, 'n', '0', 'h')")
        with pytest.raises(sqlite3.IntegrityError, match="stays as it was written"):
            raw.execute(verb)


async def test_a_file_that_is_no_database_is_a_fault(file: Path) -> None:
    file.write_bytes(b"no database" * 200)
    with pytest.raises(DatabaseFault, match="not a database"):
        await made(file)


async def test_a_fault_tells_no_value_of_the_statement(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    await database.migrate()
    row = {"id": "ann", "name": "s3cret", "is_disabled": False, "created": 1.0, "password_hash": "s3cret"}
    with pytest.raises(DatabaseFault, match="UNIQUE") as fault:
        async with database.transaction() as connection:
            await connection.execute(insert(PEOPLE), [row, row])
    await database.close()
    assert "s3cret" not in str(fault.value)
    assert fault.value.__cause__ is None


async def test_who_reads_sees_one_moment_and_keeps_nobody_from_writing(file: Path) -> None:
    await made(file)
    database, line = Database(f"sqlite:///{file}"), {"name": "ann", "failures": 1, "last": 1.0}
    async with database.reading() as reader:
        assert (await reader.execute(select(FAILURES))).all() == []
        async with asyncio.timeout(5), database.transaction() as writer:
            await writer.execute(insert(FAILURES).values(**line))
        assert (await reader.execute(select(FAILURES))).all() == []
    async with database.reading() as reader:
        assert len((await reader.execute(select(FAILURES))).all()) == 1
    await database.close()


async def test_who_writes_keeps_nobody_from_reading(file: Path) -> None:
    await made(file)
    database, second = Database(f"sqlite:///{file}"), Database(f"sqlite:///{file}")
    async with database.transaction() as writer:
        await writer.execute(insert(FAILURES).values(name="ann", failures=1, last=1.0))
        async with database.reading() as joined:
            assert len((await joined.execute(select(FAILURES))).all()) == 1
        async with asyncio.timeout(5), second.reading() as reader:
            assert (await reader.execute(select(FAILURES))).all() == []
    await database.close()
    await second.close()


async def test_who_reads_writes_nothing(file: Path) -> None:
    await made(file)
    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseFault, match="readonly"):
        async with database.reading() as reader:
            await reader.execute(insert(FAILURES).values(name="ann", failures=1, last=1.0))
    await database.close()


@pytest.mark.parametrize("url", ["", "x", "mysql://a/b", "sqlite://", "sqlite:///", "postgresql+asyncpg://a/b"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DatabaseFault, match="must be"):
        Database(url)


async def test_a_server_that_is_away_is_a_fault_without_the_password() -> None:
    database = Database("postgresql://ann:s3cret@127.0.0.1:1/aegis")
    with pytest.raises(DatabaseFault, match=r"ann:\*\*\*@127\.0\.0\.1:1") as fault:
        await database.migrate()
    await database.close()
    assert "s3cret" not in str(fault.value)


async def test_a_database_that_knows_no_characters_is_refused_with_what_to_do(postgres: str) -> None:
    url = await new_database(postgres, "SQL_ASCII")
    database, blocking = Database(url), BlockingDatabase(url)
    for attempt in (database.migrate, partial(asyncio.to_thread, blocking.migrate)):
        with pytest.raises(DatabaseFault, match=r"has the encoding SQL_ASCII.*TEMPLATE template0 ENCODING 'UTF8'"):
            await attempt()
    await database.close()
    blocking.close()
