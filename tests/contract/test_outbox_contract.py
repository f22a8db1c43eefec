"""What an outbox does, in memory, on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.core.notice import NoticeKind, NoticeState
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.notices import Outbox
from aegis_authz.testing.outbox import MemoryOutbox
from tests.support.real_postgres import database_url

HELD, SETTLED = NoticeKind.HELD, NoticeKind.SETTLED


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outbox]:
    if request.param == "memory":
        yield MemoryOutbox(for_tests=True)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield SqlOutbox(database)
    await database.close()


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
    assert (first.subject, first.attempts, first.address) == ("apr_1", 1, "#a")
    assert second.subject == "apr_2"
    assert await outbox.claim("slack", 11.0, 31.0) is None
    again = await outbox.claim("slack", 32.0, 52.0)
    assert again is not None
    assert again.subject == "apr_3"
    once_more = await outbox.claim("slack", 32.0, 52.0)
    assert once_more is not None
    assert (once_more.subject, once_more.attempts) == ("apr_1", 2)


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
    assert (notice.subject, notice.state, notice.trouble) == (
        given_up.subject,
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


async def test_when_the_next_notice_can_be_claimed_is_known(outbox: Outbox) -> None:
    assert await outbox.next_due("slack") is None
    await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    await outbox.enter("apr_2", "slack:#a", HELD, 30.0)
    await outbox.enter("apr_1", "email:a@b.example", HELD, 1.0)
    seen = [await outbox.next_due("slack")]
    first = await outbox.claim("slack", 10.0, 20.0)
    assert first is not None
    seen.append(await outbox.next_due("slack"))
    await outbox.postpone(first, "HTTP 503", 50.0)
    seen.append(await outbox.next_due("slack"))
    second = await outbox.claim("slack", 30.0, 60.0)
    assert second is not None
    await outbox.complete(second, "", 31.0)
    seen.append(await outbox.next_due("slack"))
    last = await outbox.claim("slack", 50.0, 70.0)
    assert last is not None
    await outbox.abandon(last, "HTTP 404", 51.0)
    assert seen == [10.0, 20.0, 30.0, 50.0]
    assert await outbox.next_due("slack") is None


async def test_the_second_notice_knows_the_receipt_of_the_first(outbox: Outbox) -> None:
    await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    notice = await outbox.claim("slack", 10.0, 11.0)
    assert notice is not None
    assert await outbox.unsettled() == []
    await outbox.complete(notice, "C1 1.2", 12.0)
    (waiting,) = await outbox.unsettled()
    assert waiting.subject == "apr_1"
    await outbox.enter("apr_1", "slack:#a", SETTLED, 13.0)
    assert await outbox.unsettled() == []
    settled = await outbox.claim("slack", 13.0, 14.0)
    assert settled is not None
    assert (settled.kind, settled.receipt) == (SETTLED, "C1 1.2")


async def test_what_comes_late_of_a_claim_that_ran_out_changes_nothing(outbox: Outbox) -> None:
    await outbox.enter("apr_1", "slack:#a", HELD, 10.0)
    slow, swift = await outbox.claim("slack", 10.0, 30.0), await outbox.claim("slack", 31.0, 51.0)
    assert slow is not None
    assert swift is not None
    await outbox.abandon(slow, "no answer", 32.0)
    await outbox.postpone(slow, "no answer", 33.0)
    assert await outbox.undelivered(10) == []
    assert await outbox.claim("slack", 34.0, 54.0) is None
    await outbox.complete(swift, "C1 1.2", 35.0)
    await outbox.postpone(slow, "no answer", 36.0)
    assert await outbox.claim("slack", 1000.0, 1020.0) is None
    assert [notice.receipt for notice in await outbox.unsettled()] == ["C1 1.2"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[SqlOutbox, SqlOutbox]]:
    """The outboxes of two processes, on one database."""
    url = await database_url(request, tmp_path)
    databases = Database(url), Database(url)
    await databases[0].migrate()
    yield SqlOutbox(databases[0]), SqlOutbox(databases[1])
    for database in databases:
        await database.close()


async def test_of_several_who_claim_at_once_each_notice_is_one_ones(shared: tuple[SqlOutbox, SqlOutbox]) -> None:
    names = [f"apr_{number}" for number in range(20)]
    entered = await asyncio.gather(*(box.enter(name, "slack:#a", HELD, 10.0) for name in names for box in shared))
    assert sum(entered) == len(names)
    claims = await asyncio.gather(*(box.claim("slack", 11.0, 31.0) for _ in names for box in shared))
    claimed = [notice.subject for notice in claims if notice is not None]
    assert len(claimed) == len(set(claimed))
    while (notice := await shared[0].claim("slack", 11.0, 31.0)) is not None:
        claimed.append(notice.subject)  # who found all others taken at that moment was given none
    assert sorted(claimed) == sorted(names)


async def test_after_a_restart_everything_is_there_and_due(shared: tuple[SqlOutbox, SqlOutbox]) -> None:
    before, after = shared
    await before.enter("apr_1", "slack:#a", HELD, 10.0)
    assert await before.claim("slack", 10.0, 1000.0) is not None
    await after.end_claims(11.0)
    notice = await after.claim("slack", 11.0, 1000.0)
    assert notice is not None
    assert (notice.subject, notice.attempts) == ("apr_1", 2)


async def test_old_notices_go_and_those_that_wait_stay(shared: tuple[SqlOutbox, SqlOutbox]) -> None:
    outbox, later = shared[0], 12.0 + 31 * 86_400
    for name in ("apr_1", "apr_2"):
        await outbox.enter(name, "slack:#a", HELD, 10.0)
        notice = await outbox.claim("slack", 10.0, 11.0)
        assert notice is not None
        await outbox.abandon(notice, "no", 12.0 if name == "apr_1" else later - 86_400)
    await outbox.enter("apr_4", "email:a@b.example", HELD, 10.0)
    assert await outbox.enter("apr_3", "slack:#a", HELD, later)
    assert [notice.subject for notice in await outbox.undelivered(10)] == ["apr_2"]
    assert await outbox.claim("slack", later, 1e10) is not None
    assert await outbox.claim("email", later, 1e10) is not None


async def test_an_outbox_whose_database_is_away_says_so() -> None:
    database = Database("postgresql://aegis@127.0.0.1:1/aegis")
    with pytest.raises(StoreDown, match="the outbox cannot be used"):
        await SqlOutbox(database).unsettled()
    await database.close()
