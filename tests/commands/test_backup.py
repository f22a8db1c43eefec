from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import SqlPeople
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.adapters.sql.sign_in import SqlSignIn
from aegis_authz.bootstrap.database import database_url
from aegis_authz.commands.backup import back_up, restore
from aegis_authz.commands.faults import Rejected, Unable
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.change_line import Act, ChangeLine, verify_lines
from aegis_authz.core.person import Person
from aegis_authz.core.release import Change, ChangeKind, Sources
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from tests.support.people import person
from tests.support.real_postgres import new_database

SOURCES = Sources({"a.yaml": "agent: \u00e4\n"}, {})
ANN = person("ann", "approver@acme", "owner", groups=("finance",))


def configured(folder: Path, database: str = "") -> tuple[Path, ControlSettings]:
    folder.mkdir()
    settings = ControlSettings(
        listen="127.0.0.1:7000",
        public_url="http://127.0.0.1:7000",
        database=database,
        redis="unix:///nowhere",
        **{name: folder / name for name in ("state", "keys", "records", "policies", "tools")},
    )
    file = folder / "control.yaml"
    file.write_text(json.dumps(settings.model_dump(mode="json")))
    return file, settings


async def lived(settings: ControlSettings) -> None:
    """A control plane's state after some work."""
    (settings.state / "bundles").mkdir(parents=True, exist_ok=True)
    (settings.state / "bundles" / "r1.tar.gz").write_bytes(b"\x00bundle")
    (settings.state / "current").write_bytes(b"r1")
    (settings.state / "first-owner.code").write_bytes(b"s3cret")
    database = Database(database_url(settings))
    await database.migrate()
    await SqlPeople(database).add(Account(ANN, is_disabled=False, created=Epoch(1.5)))
    await SqlPeople(database).link("ann", "slack", "U1")
    await SqlSignIn(database).set_password("ann", "$argon2id$x")
    for number in range(3):
        await SqlChangeLog(database).append(Act(Epoch(number + 0.1), "ann", "a:b", "\u00e4", "*", ""))
    await database.close()
    releases = BlockingDatabase(database_url(settings))
    SqlReleases(releases).keep("r1", b"\x00\xffbundle", SOURCES)
    SqlReleases(releases).activate(Change(ChangeKind.FIRST, "r1", "", "control", Epoch(1.0), "", None))
    releases.close()


def served(settings: ControlSettings) -> tuple[str, bytes, Sources]:
    database = BlockingDatabase(database_url(settings))
    releases = SqlReleases(database)
    found = releases.current(), releases.bundle("r1"), releases.sources("r1")
    database.close()
    return found


async def kept(settings: ControlSettings) -> tuple[list[Person], str, list[ChangeLine]]:
    database = Database(database_url(settings))
    await database.migrate()
    people = [account.person for account in await SqlPeople(database).accounts()]
    password = await SqlSignIn(database).password_hash("ann")
    await SqlChangeLog(database).append(Act(Epoch(9.0), "ann", "a:b", "after", "*", ""))
    lines = await SqlChangeLog(database).lines(0, 99)
    await database.close()
    return people, password, lines


@pytest.mark.parametrize("ways", [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_what_is_restored_is_what_was_there(
    request: pytest.FixtureRequest, tmp_path: Path, ways: tuple[str, str]
) -> None:
    urls = [
        asyncio.run(new_database(request.getfixturevalue("postgres"))) if way == "postgresql" else "" for way in ways
    ]
    (old_file, old), (new_file, new) = configured(tmp_path / "old", urls[0]), configured(tmp_path / "new", urls[1])
    asyncio.run(lived(old))
    backup = tmp_path / "backup.tar.gz"
    assert back_up(old_file, backup) == backup.stat().st_size
    assert backup.stat().st_mode & 0o777 == 0o600
    restore(new_file, backup)
    assert (new.state / "bundles" / "r1.tar.gz").read_bytes() == b"\x00bundle"
    assert (new.state / "current").read_bytes() == b"r1"
    assert not (new.state / "first-owner.code").exists()
    people, password, lines = asyncio.run(kept(new))
    assert (people, password) == ([ANN], "$argon2id$x")
    assert verify_lines(lines) == 4
    assert served(new) == ("r1", b"\x00\xffbundle", SOURCES)


def test_a_database_in_use_is_in_a_backup_as_of_one_moment(tmp_path: Path) -> None:
    (old_file, old), (new_file, new) = configured(tmp_path / "old"), configured(tmp_path / "new")
    asyncio.run(lived(old))
    with closing(sqlite3.connect(old.state / "outbox.db")) as outbox:
        outbox.execute("PRAGMA journal_mode=WAL")
        outbox.execute("CREATE TABLE notices (id)")
        outbox.execute("INSERT INTO notices VALUES (1)")
        outbox.commit()
        assert (old.state / "outbox.db-wal").stat().st_size
        back_up(old_file, tmp_path / "backup.tar.gz")
    restore(new_file, tmp_path / "backup.tar.gz")
    assert not [path.name for path in new.state.iterdir() if path.name.startswith("outbox.db-")]
    with closing(sqlite3.connect(new.state / "outbox.db")) as outbox:
        assert outbox.execute("SELECT id FROM notices").fetchall() == [(1,)]


def test_a_backup_is_written_over_nothing_and_restored_over_nothing(tmp_path: Path) -> None:
    file, settings = configured(tmp_path / "mesh")
    asyncio.run(lived(settings))
    backup = tmp_path / "backup.tar.gz"
    back_up(file, backup)
    with pytest.raises(Unable, match="File exists"):
        back_up(file, backup)
    before = {path: path.read_bytes() for path in settings.state.rglob("*") if path.is_file()}
    with pytest.raises(Rejected, match="not empty"):
        restore(file, backup)
    assert {path: path.read_bytes() for path in settings.state.rglob("*") if path.is_file()} == before


def test_before_the_first_start_there_is_nothing_to_back_up_and_no_database_is_made(tmp_path: Path) -> None:
    config, settings = configured(tmp_path / "new")
    settings.state.mkdir()
    with pytest.raises(Unable, match="no control plane has started with it"):
        back_up(config, tmp_path / "backup")
    assert (list(settings.state.iterdir()), (tmp_path / "backup").exists()) == ([], False)


def test_a_backup_of_other_tables_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    (old_file, old), (new_file, new) = configured(tmp_path / "old"), configured(tmp_path / "new")
    asyncio.run(lived(old))
    backup = tmp_path / "backup.tar.gz"
    back_up(old_file, backup)
    newer, own = tmp_path / "newer.tar.gz", ""
    with tarfile.open(backup) as archive, tarfile.open(newer, "w:gz") as changed:
        for entry in archive:
            stream = archive.extractfile(entry)
            assert stream is not None
            content = stream.read()
            if revision := re.search(rb'"revision": "(\d{4})"', content):
                own = revision[1].decode()
                content = content.replace(revision[0], b'"revision": "9999"')
            entry.size = len(content)
            changed.addfile(entry, io.BytesIO(content))
    with pytest.raises(Unable, match=f"is of tables 9999, this version has {own}"):
        restore(new_file, newer)
    assert list(new.state.iterdir()) == []
    restore(new_file, backup)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "state/../../x", "state", "other/x"])
def test_what_has_no_place_in_a_backup_is_not_unpacked(tmp_path: Path, name: str) -> None:
    file, settings = configured(tmp_path / "mesh")
    backup = tmp_path / "backup.tar.gz"
    with tarfile.open(backup, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(Rejected, match="has no place in one"):
        restore(file, backup)
    assert not settings.state.exists()


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    file, _ = configured(tmp_path / "mesh")
    backup = tmp_path / "backup.tar.gz"
    backup.write_bytes(content)
    with pytest.raises(Rejected, match="not a backup"):
        restore(file, backup)
