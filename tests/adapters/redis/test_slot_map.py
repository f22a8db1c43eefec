from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot
from redis.exceptions import ClusterDownError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.slot_map import SlotMap, read_cluster_url, read_slots
from aegis_authz.core.scope import Scope

THIRDS = [
    [0, 5460, [b"10.0.0.1", 6379, b"a"], [b"10.0.0.4", 6379, b"d"]],
    [5461, 10922, [b"10.0.0.2", 6379, b"b", []]],
    [10923, 16383, [b"10.0.0.3", 6380, b"c", {b"hostname": b"three"}]],
]


def test_a_key_is_at_the_master_of_its_slot_and_not_at_a_replica() -> None:
    slots = read_slots(THIRDS, "10.0.0.9:6379")
    masters = ("10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6380")
    for key in map(redis_keys.epoch, redis_keys.ALL_PARTITIONS):
        assert slots.master_of(key) == masters[min(key_slot(key.encode()) // 5461, 2)]


def test_every_partition_has_one_master_and_all_of_its_keys_are_there() -> None:
    slots = read_slots(THIRDS, "10.0.0.9:6379")
    partitions = slots.partitions()
    assert sorted(name for names in partitions.values() for name in names) == sorted(redis_keys.ALL_PARTITIONS)
    assert all(len(names) >= 15 for names in partitions.values()), "three masters share the tenants"
    scope = Scope("acme", "emea", "bot")
    partition = redis_keys.partition_of(scope)
    keys = (
        redis_keys.epoch(partition),
        redis_keys.jti(scope, ["i", "j"]),
        redis_keys.revoked(partition),
        redis_keys.revocations_whole(partition),
        redis_keys.grant(scope, "g"),
        redis_keys.quarantined(partition),
        redis_keys.quarantine(scope),
        *redis_keys.refusals(scope, "b"),
        redis_keys.limit(partition, "l", "h", 1),
        redis_keys.flags(partition, "h"),
        redis_keys.reserved(partition, "d"),
        redis_keys.counted(partition),
        redis_keys.nothing(partition),
        redis_keys.approval(redis_keys.approval_id(scope, "0" * 32)),
        redis_keys.approvals(partition),
        *redis_keys.waiting(scope),
        redis_keys.pending(scope, "d"),
    )
    assert len({key_slot(key.encode()) for key in keys}) == 1
    assert len({slots.master_of(key) for key in keys}) == 1


def test_a_slot_that_moved_is_where_it_went_and_the_others_stay() -> None:
    slots = read_slots(THIRDS, "10.0.0.9:6379")
    key = redis_keys.epoch("00")
    moved = slots.after_move(key_slot(key.encode()), "10.0.0.7:6379")
    assert moved.master_of(key) == "10.0.0.7:6379"
    assert moved.partitions()["10.0.0.7:6379"] == ("00",)
    assert slots.master_of(key) != "10.0.0.7:6379"


def test_a_slot_that_nobody_serves_is_told() -> None:
    slots = SlotMap(((0, 5, "10.0.0.1:6379"),), {})
    with pytest.raises(ClusterDownError, match="no master serves slot"):
        slots.master_of(redis_keys.epoch("00"))
    with pytest.raises(ClusterDownError, match="no master serves slot"):
        slots.partitions()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (b"10.0.0.1", "10.0.0.1:7000"),
        ("redis-0.example", "redis-0.example:7000"),
        (b"::1", "[::1]:7000"),
        (b"", "asked.example:7000"),  # a node that has met no other does not know its own address
        (None, "asked.example:7000"),
        (b"?", "asked.example:7000"),
    ],
)
def test_a_master_is_named_as_it_is_reached(host: object, address: str) -> None:
    slots = read_slots([[0, 16383, [host, 7000, b"id"]]], "asked.example:6379")
    assert slots.master_of("any") == address


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"OK",
        [],
        [[0, 16384, [b"a", 1, b""]]],
        [[5, 4, [b"a", 1, b""]]],
        [[-1, 4, [b"a", 1, b""]]],
        [[0, 1]],
        [[0, 1, [b"a"]]],
        [[0, 1, [b"a b", 1]]],
        [[0, 1, [b"user:password@a", 1]]],
        [[b"0", 1, [b"a", 1]]],
        [[0, 1, [b"\xff/", 1]]],
    ],
)
def test_what_cannot_be_slots_is_refused(reply: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_slots(reply, "10.0.0.9:6379")


@given(st.recursive(st.none() | st.integers() | st.binary(max_size=8) | st.text(max_size=8), st.lists, max_leaves=12))
def test_whatever_is_answered_is_slots_or_a_value_error(reply: object) -> None:
    try:
        slots = read_slots(reply, "10.0.0.9:6379")
    except ValueError:
        return
    assert slots.ranges


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    place = read_cluster_url("cluster://10.0.0.1:6379,[::1]:6380,redis.example:6379")
    assert place is not None
    assert place.nodes == ("10.0.0.1:6379", "[::1]:6380", "redis.example:6379")
    assert place.url("10.0.0.7:1") == "redis://10.0.0.7:1/0"


def test_password_and_tls_are_the_same_for_every_node() -> None:
    place = read_cluster_url("clusters://me:p%40ss@a:1,b:2?ssl_ca_certs=/run/ca.pem")
    assert place is not None
    assert place.url("c:3") == "rediss://me:p%40ss@c:3/0?ssl_ca_certs=/run/ca.pem"
    assert place.nodes == ("a:1", "b:2")


@pytest.mark.parametrize(
    "url", ["redis://a:1/0", "rediss://a:1", "unix:///run/r.sock", "sentinel://a:1/mesh", "cluster"]
)
def test_an_url_of_another_kind_is_no_cluster(url: str) -> None:
    assert read_cluster_url(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "cluster://",
        "cluster://a",
        "cluster://a:0",
        "cluster://a:1,",
        "cluster://u:secret@a",
        "cluster://u:sec/secret@a:1",  # which would be read as the host u
        "cluster://b:2/secret@a:1",
        "cluster://u:sec#secret@a:1",
        "cluster://u:[secret]@a:1",
        "cluster://u:a secret@a:1",
        "cluster://a:1?ssl_ca_certs=/ca.pem",  # which without TLS would be read by nobody
        "clusters://a:1?ssl_cert_reqs=none",
        "clusters://a:1?password=secret",
        "clusters://a:1?ssl_ca_certs=",
    ],
)
def test_a_cluster_without_an_address_is_refused_and_no_secret_told(url: str) -> None:
    with pytest.raises(ValueError, match="cluster://") as caught:
        read_cluster_url(url)
    assert "secret" not in str(caught.value)
