"""A state folder of before is taken into the database once, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.bootstrap.state_import import FORMER, import_outbox
from tests.adapters.files.test_outbox import write_former


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'control.db'}")
    await opened.migrate()
    yield opened
    await opened.close()


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
    assert (notice.approval_id, notice.attempts, notice.trouble) == ("apr_2", 2, "HTTP 503")
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
