"""What an outbox does, in memory and on disk alike."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aegis_authz.adapters.files.outbox import SqliteOutbox
from aegis_authz.core.notice import NoticeKind, NoticeState
from aegis_authz.ports.notices import Outbox
from aegis_authz.testing.outbox import MemoryOutbox

HELD, SETTLED = NoticeKind.HELD, NoticeKind.SETTLED


@pytest.fixture(params=["memory", "sqlite"])
async def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Outbox:
    if request.param == "memory":
        return MemoryOutbox(for_tests=True)
    outbox = SqliteOutbox(tmp_path / "outbox.db", 0.0)
    request.addfinalizer(outbox._database.close)
    return outbox


async def test_a_notice_is_entered_once(outbox: Outbox) -> None:
    assert await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    assert not await outbox.enter("apr_1", "slack:#a", HELD, 11.0)
    assert await outbox.enter("apr_1", "slack:#b", HELD, 11.0)
    assert await outbox.enter("apr_1", "slack:#a", SETTLED, 11.0)


async def test_what_is_due_longest_comes_first_and_to_one_alone(outbox: Outbox) -> None:
    for number, name in enumerate(("apr_1", "apr_2", "apr_3")):
        await outbox.enter(name, "slack:#a", HELD, 10.0 + number)
    await outbox.enter("apr_1", "email:a@b.example", HELD, 1.0)
    first, second = await outbox.claim("slack", 11.0, 31.0), await outbox.claim("slack", 11.0, 31.0)
    assert first is not None
    assert second is not None
    assert (first.approval_id, first.attempts, first.address) == ("apr_1", 1, "#a")
    assert second.approval_id == "apr_2"
    assert await outbox.claim("slack", 11.0, 31.0) is None
    again = await outbox.claim("slack", 32.0, 52.0)
    assert again is not None
    assert again.approval_id == "apr_3"
    once_more = await outbox.claim("slack", 32.0, 52.0)
    assert once_more is not None
    assert (once_more.approval_id, once_more.attempts) == ("apr_1", 2)


async def test_what_is_delivered_or_given_up_is_never_claimed_again(outbox: Outbox) -> None:
    for name in ("apr_1", "apr_2"):
        await outbox.enter(name, "slack:#a", HELD, 10.0)
    delivered, given_up = [await outbox.claim("slack", 10.0, 11.0) for _ in range(2)]
    assert delivered is not None
    assert given_up is not None
    await outbox.complete(delivered, "C1 1.2", 12.0)
    await outbox.abandon(given_up, "channel_not_found", 12.0)
    assert await outbox.claim("slack", 1000.0, 1001.0) is None
    (notice,) = await outbox.undelivered(10)
    assert (notice.approval_id, notice.state, notice.trouble) == (
        given_up.approval_id,
        NoticeState.UNDELIVERED,
        "channel_not_found",
    )


async def test_what_is_postponed_comes_when_it_is_due_and_says_what_was_wrong(outbox: Outbox) -> None:
    await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    notice = await outbox.claim("slack", 10.0, 11.0)
    assert notice is not None
    await outbox.postpone(notice, "HTTP 503", 50.0)
    assert await outbox.claim("slack", 49.0, 60.0) is None
    again = await outbox.claim("slack", 50.0, 60.0)
    assert again is not None
    assert (again.trouble, again.attempts) == ("HTTP 503", 2)


async def test_the_second_notice_knows_the_receipt_of_the_first(outbox: Outbox) -> None:
    await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    notice = await outbox.claim("slack", 10.0, 11.0)
    assert notice is not None
    assert await outbox.unsettled() == []
    await outbox.complete(notice, "C1 1.2", 12.0)
    (waiting,) = await outbox.unsettled()
    assert waiting.approval_id == "apr_1"
    await outbox.enter("apr_1", "slack:#a", SETTLED, 13.0)
    assert await outbox.unsettled() == []
    settled = await outbox.claim("slack", 13.0, 14.0)
    assert settled is not None
    assert (settled.kind, settled.receipt) == (SETTLED, "C1 1.2")


async def test_after_a_restart_everything_is_there_and_due(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = SqliteOutbox(path, 0.0)
    await before.enter("apr_1", "slack:#a", HELD, 10.0)
    assert await before.claim("slack", 10.0, 1000.0) is not None
    await before.close()
    after = SqliteOutbox(path, 11.0)
    notice = await after.claim("slack", 11.0, 1000.0)
    await after.close()
    assert notice is not None
    assert (notice.approval_id, notice.attempts) == ("apr_1", 2)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_old_notices_go_and_those_that_wait_stay(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = SqliteOutbox(path, 0.0)
    await before.enter("apr_1", "slack:#a", HELD, 10.0)
    await before.enter("apr_2", "email:a@b.example", HELD, 10.0)
    notice = await before.claim("slack", 10.0, 11.0)
    assert notice is not None
    await before.abandon(notice, "no", 12.0)
    await before.close()
    after = SqliteOutbox(path, 12.0 + 31 * 86_400)
    assert await after.undelivered(10) == []
    assert await after.claim("email", 12.0 + 31 * 86_400, 1e10) is not None
    await after.close()


async def test_old_notices_go_while_a_control_plane_runs(tmp_path: Path) -> None:
    outbox, later = SqliteOutbox(tmp_path / "outbox.db", 0.0), 12.0 + 31 * 86_400
    for name in ("apr_1", "apr_2"):
        await outbox.enter(name, "slack:#a", HELD, 10.0)
        notice = await outbox.claim("slack", 10.0, 11.0)
        assert notice is not None
        await outbox.abandon(notice, "no", 12.0 if name == "apr_1" else later - 86_400)
    assert await outbox.enter("apr_3", "slack:#a", HELD, later)
    assert [notice.approval_id for notice in await outbox.undelivered(10)] == ["apr_2"]
    assert await outbox.claim("slack", later, 1e10) is not None
    await outbox.close()


def test_an_outbox_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(OSError, match="it is of version 2, and this program knows 1"):
        SqliteOutbox(path, 0.0)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(OSError, match="cannot be used as an outbox"):
        SqliteOutbox(path, 0.0)
