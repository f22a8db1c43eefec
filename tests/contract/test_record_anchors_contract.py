"""Where heads of logs are reported and anchored: a real Redis and a cluster of it, SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.record_heads import RedisRecordHeads
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.adapters.sql.anchors import SqlRecordAnchors
from aegis_authz.adapters.sql.database import Database
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_cluster import RealCluster
from tests.support.real_postgres import database_url
from tests.support.real_redis import RealRedis

HEAD = Head("gw-0", "authz-0", "ab" * 32, 7, "a note\n\u2014 of a writer\n")
SIBLING = replace(HEAD, writer="authz-1")


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
def anchors(database: Database) -> SqlRecordAnchors:
    return SqlRecordAnchors(database)


@pytest.fixture(params=["real_redis", "shared_cluster"])
def redis_url(request: pytest.FixtureRequest) -> str:
    server: RealRedis | RealCluster = request.getfixturevalue(request.param)
    return server.url


async def test_heads_are_kept_as_one_chain_in_their_order(anchors: SqlRecordAnchors) -> None:
    first = await anchors.append(Epoch(1000.25), [HEAD, SIBLING])
    second = await anchors.append(Epoch(1001.0), [replace(HEAD, size=9)])
    kept = await anchors.anchors(0, 10)
    assert kept == [*first, *second]
    assert kept[0] == Anchor.after(0, FIRST_PREVIOUS, Epoch(1000.25), HEAD)
    assert [anchor.previous for anchor in kept[1:]] == [anchor.hash for anchor in kept[:-1]]
    assert await anchors.anchors(1, 1) == [kept[1]]


async def test_logs_of_one_name_at_one_place_are_kept_apart(anchors: SqlRecordAnchors) -> None:
    twin = replace(HEAD, first="cd" * 32)
    await anchors.append(Epoch(1000.0), [HEAD, twin])
    assert await anchors.append(Epoch(1001.0), [twin, HEAD]) == []
    assert await anchors.newest() == [HEAD, twin]


async def test_a_head_that_is_the_newest_of_its_log_is_not_kept_again(anchors: SqlRecordAnchors) -> None:
    await anchors.append(Epoch(1000.0), [HEAD, SIBLING])
    grown = replace(HEAD, size=9)
    assert [anchor.head for anchor in await anchors.append(Epoch(1001.0), [grown, SIBLING])] == [grown]
    assert await anchors.newest() == [SIBLING, grown]


async def test_control_planes_of_one_database_know_each_others_anchors(
    anchors: SqlRecordAnchors, database: Database
) -> None:
    sibling = SqlRecordAnchors(database)
    grown = replace(HEAD, size=9)
    assert len(await anchors.append(Epoch(1000.0), [HEAD, SIBLING])) == 2
    assert await sibling.append(Epoch(1001.0), [SIBLING, HEAD]) == []
    assert [anchor.number for anchor in await sibling.append(Epoch(1002.0), [grown])] == [3]
    assert await anchors.append(Epoch(1003.0), [grown]) == []
    assert await anchors.newest() == await sibling.newest() == [SIBLING, grown]


async def test_a_head_that_went_back_is_kept_like_every_other(anchors: SqlRecordAnchors) -> None:
    for head in (HEAD, replace(HEAD, size=3), HEAD):
        await anchors.append(Epoch(1000.0), [head])
    assert [anchor.head.size for anchor in await anchors.anchors(0, 10)] == [7, 3, 7]


async def test_several_who_anchor_at_once_write_one_chain(anchors: SqlRecordAnchors) -> None:
    heads = [replace(HEAD, place=f"gw-{number}") for number in range(8)]
    await asyncio.gather(*(anchors.append(Epoch(1000.0), [head]) for head in heads))
    kept = await anchors.anchors(0, 10)
    assert [anchor.number for anchor in kept] == list(range(1, 9))
    assert [anchor.previous for anchor in kept[1:]] == [anchor.hash for anchor in kept[:-1]]


async def test_a_log_is_reported_in_place_of_what_was_reported_of_it_before(redis_url: str) -> None:
    place = secrets.token_hex(8)
    reports = RedisRecordHeads(redis_url)
    for head in (replace(HEAD, place=place), replace(SIBLING, place=place), replace(HEAD, place=place, size=9)):
        await reports.report(head)
    twin = replace(SIBLING, place=place, first="cd" * 32)
    await reports.report(twin)
    here = sorted((head for head in await reports.heads() if head.place == place), key=lambda head: head.log)
    assert here == [replace(HEAD, place=place, size=9), replace(SIBLING, place=place), twin]
    await reports.close()


async def test_what_is_forgotten_is_what_was_read_and_nothing_newer(redis_url: str) -> None:
    place = secrets.token_hex(8)
    reports = RedisRecordHeads(redis_url)
    early, gone = replace(HEAD, place=place), replace(SIBLING, place=place)
    late = replace(early, size=early.size + 1)
    for head in (early, gone, late):
        await reports.report(head)
    await reports.forget([early, gone])
    assert [head for head in await reports.heads() if head.place == place] == [late]
    await reports.close()


async def test_what_no_writer_reported_hides_nothing_of_the_others(redis_url: str) -> None:
    place = secrets.token_hex(8)
    reports, servers = RedisRecordHeads(redis_url), open_servers(redis_url, 1)
    key = redis_keys.RECORD_HEADS
    await servers.ask(key, lambda redis: redis.hset(key, f"{place}/x", b"\xff"))
    await reports.report(replace(HEAD, place=place))
    assert replace(HEAD, place=place) in await reports.heads()
    await servers.ask(key, lambda redis: redis.hdel(key, f"{place}/x"))
    await servers.aclose()
    await reports.close()


@pytest.mark.parametrize(
    "member",
    [
        {"place": "gw\x000"},
        {"place": "g" * 257},
        {"writer": ""},
        {"writer": "w" * 65},
        {"first": "ab" * 33},
        {"size": 0},
        {"size": 2**63},
        {"note": "n" * 5000},
    ],
    ids=lambda member: "-".join(member),
)
async def test_a_head_that_no_database_holds_keeps_no_others_from_it(
    real_redis: RealRedis, member: dict[str, object]
) -> None:
    reports, servers = RedisRecordHeads(real_redis.url), open_servers(real_redis.url, 1)
    key, field = redis_keys.RECORD_HEADS, secrets.token_hex(8)
    head = Head(field, "authz-0", "ab" * 32, 7, "a note")
    content = asdict(head)
    await servers.ask(key, lambda redis: redis.hset(key, field, json.dumps(content)))
    assert head in await reports.heads()
    before = len(await reports.heads())
    await servers.ask(key, lambda redis: redis.hset(key, field, json.dumps({**content, **member})))
    assert len(await reports.heads()) == before - 1
    await servers.ask(key, lambda redis: redis.hdel(key, field))
    await servers.aclose()
    await reports.close()


async def test_a_redis_that_is_away_is_a_fault_of_the_store(tmp_path: Path) -> None:
    reports = RedisRecordHeads(f"unix://{tmp_path / 'nobody.sock'}")
    with pytest.raises(StoreDown):
        await reports.report(HEAD)
    with pytest.raises(StoreDown):
        await reports.heads()
    await reports.close()
