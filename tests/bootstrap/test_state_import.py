"""A state folder of before is taken into the database once, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.enrolments import SqlEnrolments
from aegis_authz.adapters.sql.first_start import SqlFirstStart
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.adapters.sql.revocations import SqlRevocationList
from aegis_authz.bootstrap.state_import import FORMER, import_agents, import_outbox, import_releases
from aegis_authz.core.enrolment import NOBODY_ENROLLED
from aegis_authz.core.release import ChangeKind, ReleasesFault
from aegis_authz.ports.control_plane import EnrolmentsFault, RevocationListFault
from tests.adapters.files.test_bundles import FIRST, REVOKED, SECOND, SOURCES
from tests.adapters.files.test_bundles import write_former as write_releases
from tests.adapters.files.test_enrolments import ENROLLED
from tests.adapters.files.test_enrolments import write_former as write_enrolments
from tests.adapters.files.test_first_start import BEGUN
from tests.adapters.files.test_outbox import write_former
from tests.adapters.files.test_revocations import TENANT
from tests.adapters.files.test_revocations import write_former as write_revocations


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'control.db'}")
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture
def blocking(tmp_path: Path) -> Iterator[BlockingDatabase]:
    opened = BlockingDatabase(f"sqlite:///{tmp_path / 'control.db'}")
    opened.migrate()
    yield opened
    opened.close()


def test_publications_of_before_are_served_and_their_history_is_whole(
    tmp_path: Path, blocking: BlockingDatabase
) -> None:
    write_releases(tmp_path, FIRST, SECOND, REVOKED)
    import_releases(tmp_path, blocking, 99.0)
    releases = SqlReleases(blocking)
    assert releases.changes() == [REVOKED, SECOND, FIRST]
    assert (releases.current(), releases.bundle("r2"), releases.sources("r1")) == ("r2", b"bundle of r2", SOURCES)
    assert sorted(path.name for path in (tmp_path / FORMER).iterdir()) == [
        "bundles",
        "changes.jsonl",
        "current",
        "sources",
    ]
    import_releases(tmp_path, blocking, 100.0)
    assert len(releases.changes()) == 3


def test_a_crash_before_the_files_were_put_away_changes_nothing(tmp_path: Path, blocking: BlockingDatabase) -> None:
    write_releases(tmp_path, FIRST)
    import_releases(tmp_path, blocking, 99.0)
    releases = SqlReleases(blocking)
    releases.keep("r2", b"b", SOURCES)
    releases.activate(SECOND)
    write_releases(tmp_path, FIRST)
    import_releases(tmp_path, blocking, 100.0)
    assert releases.changes() == [SECOND, FIRST]
    assert not (tmp_path / "current").exists()


def test_a_change_that_a_crash_interrupted_is_in_the_history_and_not_served(
    tmp_path: Path, blocking: BlockingDatabase
) -> None:
    write_releases(tmp_path, FIRST, SECOND)
    (tmp_path / "current").write_text("r1\n")
    import_releases(tmp_path, blocking, 99.0)
    releases = SqlReleases(blocking)
    assert releases.current() == "r1"
    assert [change.kind for change in releases.changes()] == [
        ChangeKind.INTERRUPTED,
        ChangeKind.PUBLISHED,
        ChangeKind.FIRST,
    ]


def test_publications_of_two_meshes_are_not_mixed(tmp_path: Path, blocking: BlockingDatabase) -> None:
    releases = SqlReleases(blocking)
    releases.keep("r1", b"b", SOURCES)
    releases.activate(replace(FIRST, time=1.0))
    write_releases(tmp_path, FIRST, SECOND)
    with pytest.raises(ReleasesFault, match="another mesh"):
        import_releases(tmp_path, blocking, 99.0)
    assert (tmp_path / "current").exists()
    assert len(releases.changes()) == 1


def test_what_cannot_be_read_leaves_all_as_it_was(tmp_path: Path, blocking: BlockingDatabase) -> None:
    write_releases(tmp_path, FIRST, SECOND)
    (tmp_path / "sources" / "r2.json").write_text("no documents")
    with pytest.raises(ReleasesFault, match=r"r2\.json"):
        import_releases(tmp_path, blocking, 99.0)
    assert SqlReleases(blocking).changes() == []
    assert (tmp_path / "current").exists()


def test_agents_and_revocations_of_before_are_taken_in_once(tmp_path: Path, blocking: BlockingDatabase) -> None:
    write_enrolments(tmp_path / "enrolled.json")
    write_revocations(tmp_path / "revoked.json")
    (tmp_path / "limits-begun").write_bytes(BEGUN)
    for _ in range(2):
        import_agents(tmp_path, blocking)
    enrolments, revoked = SqlEnrolments(blocking), SqlRevocationList(blocking)
    enrolments.refresh()
    revoked.refresh()
    assert (enrolments.current, revoked.current) == (ENROLLED, (TENANT,))
    assert SqlFirstStart(blocking).life() == "0af1"
    assert sorted(path.name for path in (tmp_path / FORMER).iterdir()) == [
        "enrolled.json",
        "limits-begun",
        "revoked.json",
    ]


def test_a_code_that_was_used_since_is_not_good_again(tmp_path: Path, blocking: BlockingDatabase) -> None:
    releases = SqlReleases(blocking)
    releases.keep("r1", b"b", SOURCES)
    releases.activate(FIRST)
    write_enrolments(tmp_path / "enrolled.json")
    with pytest.raises(EnrolmentsFault, match=r"enrolled\.json"):
        import_agents(tmp_path, blocking)
    enrolments = SqlEnrolments(blocking)
    enrolments.refresh()
    assert enrolments.current == NOBODY_ENROLLED
    assert (tmp_path / "enrolled.json").exists()


def test_revocations_that_cannot_be_read_stop_the_start(tmp_path: Path, blocking: BlockingDatabase) -> None:
    write_enrolments(tmp_path / "enrolled.json")
    (tmp_path / "revoked.json").write_text("{}")
    with pytest.raises(RevocationListFault, match=r"revoked\.json"):
        import_agents(tmp_path, blocking)
    assert (tmp_path / "enrolled.json").exists()


async def test_notices_of_before_are_delivered_and_those_delivered_are_not_again(
    tmp_path: Path, database: Database
) -> None:
    outbox = SqlOutbox(database)
    write_former(tmp_path / "outbox.db")
    await import_outbox(tmp_path, outbox)
    assert [notice.receipt for notice in await outbox.unsettled()] == ["C1 1.2"]
    assert await outbox.claim("slack", 1e9, 1e10) is None
    notice = await outbox.claim("email", 51.0, 71.0)
    assert notice is not None
    assert (notice.subject, notice.attempts, notice.trouble) == ("apr_2", 2, "HTTP 503")
    assert not (tmp_path / "outbox.db").exists()
    assert (tmp_path / FORMER / "outbox.db").exists()


async def test_a_second_import_of_the_same_notices_changes_none(tmp_path: Path, database: Database) -> None:
    outbox = SqlOutbox(database)
    for _ in range(2):  # the second time as after a crash before the file was put away
        write_former(tmp_path / "outbox.db")
        await import_outbox(tmp_path, outbox)
    notice = await outbox.claim("email", 51.0, 71.0)
    assert notice is not None
    await outbox.complete(notice, "", 52.0)
    write_former(tmp_path / "outbox.db")
    await import_outbox(tmp_path, outbox)
    assert await outbox.claim("email", 1e9, 1e10) is None
    assert len(list((tmp_path / FORMER).iterdir())) == 3
