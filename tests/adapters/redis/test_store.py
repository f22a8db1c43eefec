from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path

import hiredis
import pytest

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis import wire as redis_wire
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.approval import ApprovalProof, ApprovalRequest
from aegis_authz.core.charge import Charging, Excess
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Identity, Override, Proof, Way
from aegis_authz.core.limit import KINDS, CalendarWindow, Count, Exceed, Limit, Per, Period, Rate
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import GrantUse, Settled, Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_redis import RealRedis

LONG = 10.0


class Askew:
    """The system's time, wrong by so many seconds."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return time.time() + self._ahead

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
async def store(real_redis: RealRedis) -> AsyncIterator[RedisStore]:
    store = RedisStore(real_redis.url, SystemClock(), 0, 60)
    await store.ready()
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield store
    await store.close()


def settlement(
    tenant: str = "emea", jti: str = "", life: float = 60, opens: ApprovalRequest | None = None, ahead: float = 0
) -> Settlement:
    now = time.time()
    issued = now + ahead
    scope, name = Scope("acme", tenant, "bot"), jti or secrets.token_hex(8)
    identity = Identity(scope, "aegis", "k", name, issued, issued + life, (), "", Way.TOKEN, None, "", None)
    return Settlement(identity, None, opens, now, (), None, None, None)


def request(tenant: str = "emea") -> ApprovalRequest:
    now, name = time.time(), redis_keys.approval_id(Scope("acme", tenant, "bot"), secrets.token_hex(16))
    texts = (Scope("acme", tenant, "bot"), "stripe", "pay")
    return ApprovalRequest(
        name,
        *texts,
        {"amount": 7000},
        "d1",
        "r1",
        ("p",),
        ("finance",),
        now,
        now + 900,
        {},
        "b1",
        "d-1",
        1,
        (),
        (),
        ApprovalProof.ANY,
        "",
    )


async def settle(store: RedisStore, what: Settlement, seconds: float = LONG) -> Settled:
    return await store.settle(what, asyncio.get_running_loop().time() + seconds)


async def refusal(store: RedisStore, what: Settlement, seconds: float = LONG) -> Refused:
    with pytest.raises(Refused) as caught:
        await settle(store, what, seconds)
    return caught.value


async def is_clear(store: RedisStore) -> bool:
    return (await settle(store, settlement())).outcome is SettleOutcome.CLEAR


def reads(real_redis: RealRedis) -> int:
    """How often Redis read from a socket so far."""
    told = real_redis.command("INFO", "stats")
    assert isinstance(told, dict)
    return int(told["total_reads_processed"])


async def test_calls_that_arrive_together_share_a_pipeline(store: RedisStore, real_redis: RealRedis) -> None:
    assert await is_clear(store)
    before = reads(real_redis)
    settled = await asyncio.gather(*(settle(store, settlement()) for _ in range(64)))
    assert {one.outcome for one in settled} == {SettleOutcome.CLEAR}
    assert reads(real_redis) - before < 10


async def test_more_calls_than_a_pipeline_holds_are_all_answered(store: RedisStore) -> None:
    settled = await asyncio.gather(*(settle(store, settlement(f"tenant-{n}")) for n in range(300)))
    assert {one.outcome for one in settled} == {SettleOutcome.CLEAR}


async def test_a_redis_that_dies_is_unavailable_and_back_at_once_when_it_returns(
    store: RedisStore, real_redis: RealRedis
) -> None:
    older = settlement()
    assert await is_clear(store)
    real_redis.kill()
    for _ in range(3):
        assert (await refusal(store, settlement())).reason is Reason.STORE_UNAVAILABLE
    with pytest.raises(StoreDown, match="ConnectionError"):
        await store.ready()
    real_redis.start()
    assert (await settle(store, older)).outcome is SettleOutcome.STORE_RESET  # it came back empty
    await asyncio.sleep(0.002)
    assert await is_clear(store)


async def test_a_redis_that_hangs_costs_its_time_and_no_more(store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.pause()
    assert (await refusal(store, settlement(), 0.05)).reason is Reason.STORE_TIMEOUT
    with pytest.raises(StoreDown, match="Timeout"):
        await store.ready()
    real_redis.go_on()
    assert await is_clear(store)
    await store.ready()


async def test_each_call_has_its_own_deadline(store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.pause()
    patient = asyncio.create_task(settle(store, settlement()))
    assert (await refusal(store, settlement(), 0.05)).reason is Reason.STORE_TIMEOUT
    assert not patient.done()
    real_redis.go_on()
    assert (await patient).outcome is SettleOutcome.CLEAR


async def test_a_call_without_time_left_spends_no_token(store: RedisStore) -> None:
    late = settlement()
    assert (await refusal(store, late, -0.001)).reason is Reason.STORE_TIMEOUT
    assert (await settle(store, late)).outcome is SettleOutcome.CLEAR


async def test_a_call_given_up_while_it_waited_for_a_pipeline_spends_no_token(
    store: RedisStore, real_redis: RealRedis
) -> None:
    real_redis.pause()
    under_way = []
    for _ in range(2):
        under_way.append(asyncio.create_task(settle(store, settlement())))
        await asyncio.sleep(0.01)
    waiting = settlement()
    assert (await refusal(store, waiting, 0.02)).reason is Reason.STORE_TIMEOUT
    real_redis.go_on()
    await asyncio.gather(*under_way)
    assert (await settle(store, waiting)).outcome is SettleOutcome.CLEAR


async def test_a_redis_that_dies_over_a_call_is_unavailable(store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.pause()
    sent = asyncio.create_task(refusal(store, settlement()))
    await asyncio.sleep(0.02)
    real_redis.kill()
    assert (await sent).reason is Reason.STORE_UNAVAILABLE


async def test_a_redis_without_memory_is_unavailable_and_writes_nothing(
    store: RedisStore, real_redis: RealRedis
) -> None:
    real_redis.command("SET", "filling", "x" * 1_000_000)
    real_redis.command("CONFIG", "SET", "maxmemory", "1mb")
    before = real_redis.names()
    full = settlement(opens=request())
    refused = await refusal(store, full)
    assert refused.reason is Reason.STORE_FULL
    assert "'maxmemory'" in refused.detail
    assert real_redis.names() == before
    real_redis.command("CONFIG", "SET", "maxmemory", "0")
    assert (await settle(store, full)).outcome is SettleOutcome.OPENED


async def test_a_redis_that_forgot_the_script_is_told_again(store: RedisStore, real_redis: RealRedis) -> None:
    real_redis.command("SCRIPT", "FLUSH")
    settled = await asyncio.gather(*(settle(store, settlement()) for _ in range(20)))
    assert {one.outcome for one in settled} == {SettleOutcome.CLEAR}


async def test_a_store_that_was_never_asked_whether_it_is_ready_prepares_itself(real_redis: RealRedis) -> None:
    store = RedisStore(real_redis.url, SystemClock(), 0, 60)
    assert (await settle(store, settlement())).outcome is SettleOutcome.STORE_RESET  # minted before the memory began
    await asyncio.sleep(0.002)
    assert await is_clear(store)
    await store.close()


@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_a_redis_that_evicts_is_not_used_until_it_stops(real_redis: RealRedis, when: str) -> None:
    store = RedisStore(real_redis.url, SystemClock(), 0, 60)
    if when == "later":
        await store.ready()
    real_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for _ in range(2):
        with pytest.raises(StoreDown, match="noeviction"):
            await store.ready()
    refused = await refusal(store, settlement())
    assert refused.reason is Reason.STORE_UNAVAILABLE
    assert "allkeys-lru" in refused.detail
    real_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await store.ready()
    await asyncio.sleep(0.002)
    assert await is_clear(store)
    await store.close()


@pytest.mark.parametrize(("policy", "fit"), [("noeviction", True), ("volatile-ttl", False)])
async def test_where_config_is_closed_the_eviction_policy_is_seen_all_the_same(
    redis_binary: Path, policy: str, fit: bool
) -> None:
    with tempfile.TemporaryDirectory(prefix="aegis-redis-") as folder:
        closed = RealRedis(redis_binary, Path(folder), ("--rename-command", "CONFIG", "", "--maxmemory-policy", policy))
        closed.start()
        store = RedisStore(closed.url, SystemClock(), 0, 60)
        try:
            if fit:
                await store.ready()
            else:
                with pytest.raises(StoreDown, match="volatile-ttl"):
                    await store.ready()
        finally:
            await store.close()
            closed.kill()


async def test_one_call_that_redis_cannot_run_harms_neither_its_mates_nor_its_token(
    store: RedisStore, real_redis: RealRedis
) -> None:
    assert redis_keys.partition_of(Scope("acme", "emea", "bot")) != redis_keys.partition_of(
        Scope("acme", "apac", "bot")
    )
    revoked = redis_keys.revoked(redis_keys.partition_of(Scope("acme", "emea", "bot")))
    real_redis.command("SET", revoked, "not a hash")
    spoilt = settlement("emea")
    answers = await asyncio.gather(
        settle(store, settlement("apac")), refusal(store, spoilt), settle(store, settlement("apac"))
    )
    assert isinstance(answers[1], Refused)
    assert answers[1].reason is Reason.STORE_UNAVAILABLE
    assert answers[0].outcome is answers[2].outcome is SettleOutcome.CLEAR
    real_redis.command("DEL", revoked)
    assert (await settle(store, spoilt)).outcome is SettleOutcome.CLEAR


async def test_an_approval_that_cannot_be_read_takes_no_token(store: RedisStore, real_redis: RealRedis) -> None:
    held = request()
    broken = ("state", "approved", "scope", str(held.scope), "digest", "d1", "basis", "b1")  # no expiry
    real_redis.command("HSET", redis_keys.approval(held.id), *broken)
    override = Override(held.id, held.scope, "d1", "b1", "o", held.expires_at)
    what = settlement()
    claiming = Settlement(what.identity, override, None, what.now, (), None, None, None)
    assert (await refusal(store, claiming)).reason is Reason.STORE_UNAVAILABLE
    assert (await settle(store, what)).outcome is SettleOutcome.CLEAR


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_a_clock_that_differs_from_that_of_redis_lets_no_token_pass_twice(
    real_redis: RealRedis, ahead: float
) -> None:
    clock = Askew(ahead)
    store = RedisStore(real_redis.url, clock, 0, 60)
    await store.ready()
    now = clock.now()
    what = Settlement(
        Identity(Scope("acme", "emea", "bot"), "aegis", "k", "j", now, now + 60, (), "", Way.TOKEN, None, "", None),
        None,
        None,
        now,
        (),
        None,
        None,
        None,
    )
    first, second = await settle(store, what), await settle(store, what)
    assert first.outcome in (SettleOutcome.CLEAR, SettleOutcome.STORE_RESET)
    assert second.outcome is SettleOutcome.REPLAYED
    await store.close()


async def test_memories_that_have_begun_do_not_begin_again(store: RedisStore, real_redis: RealRedis) -> None:
    names = [redis_keys.epoch(partition) for partition in redis_keys.ALL_PARTITIONS]
    before = [real_redis.command("GET", name) for name in names]
    real_redis.command("DEL", names[-1])
    await asyncio.sleep(0.002)
    await store.ready()
    after = [real_redis.command("GET", name) for name in names]
    assert after[:-1] == before[:-1]
    assert str(after[-1], "ascii") > str(before[-1], "ascii")


async def test_a_token_whose_use_was_lost_with_the_last_second_of_the_file_is_not_good_again(
    store: RedisStore, real_redis: RealRedis
) -> None:
    assert await is_clear(store)
    real_redis.command("SAVE")
    used = settlement()
    assert (await settle(store, used)).outcome is SettleOutcome.CLEAR
    real_redis.kill()
    real_redis.start()
    assert real_redis.names() != set()
    await asyncio.sleep(0.01)  # the loop has yet to see that the connections ended
    assert (await settle(store, used)).outcome is SettleOutcome.STORE_RESET
    assert (await settle(store, used)).outcome is SettleOutcome.REPLAYED


async def test_being_ready_begins_all_memories_anew_after_a_restart(store: RedisStore, real_redis: RealRedis) -> None:
    used = settlement()
    real_redis.command("SAVE")
    assert (await settle(store, used)).outcome is SettleOutcome.CLEAR
    real_redis.kill()
    real_redis.start()
    await asyncio.sleep(0.01)
    await store.ready()
    assert (await settle(store, used)).outcome is SettleOutcome.STORE_RESET
    await asyncio.sleep(0.002)
    assert await is_clear(store)


async def test_a_server_that_takes_over_again_begins_anew(
    store: RedisStore, real_redis: RealRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_wire, "_LIFE_SECONDS", 0.0)  # as after a second
    used = settlement()
    assert (await settle(store, used)).outcome is SettleOutcome.CLEAR
    real_redis.command("REPLICAOF", "127.0.0.1", "1")
    assert (await refusal(store, settlement())).reason in (Reason.STORE_UNAVAILABLE, Reason.STORE_READONLY)
    real_redis.command("REPLICAOF", "NO", "ONE")
    mark = next(name for name in real_redis.names() if ":jti:" in name)
    real_redis.command("DEL", mark)  # the master it followed meanwhile never knew of it
    assert (await refusal(store, used)).reason in (Reason.STORE_UNAVAILABLE, Reason.STORE_READONLY)
    assert (await settle(store, used)).outcome in (SettleOutcome.STORE_RESET, SettleOutcome.REPLAYED)


async def test_who_has_yet_to_see_that_a_server_took_over_changes_nothing_that_others_wrote_since(
    store: RedisStore, real_redis: RealRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_wire, "_LIFE_SECONDS", 3600.0)  # as within a second
    assert await is_clear(store)
    real_redis.command("REPLICAOF", "127.0.0.1", "1")
    real_redis.command("REPLICAOF", "NO", "ONE")
    later = RedisStore(real_redis.url, SystemClock(), 0, 60)
    await later.ready()
    limits = RedisLimits(real_redis.url)
    await limits.declare_counted()
    await asyncio.sleep(0.002)
    memory = texts(real_redis)
    assert await is_clear(store)  # asked again where the server of now is
    assert memory.items() <= texts(real_redis).items()
    assert await is_clear(later)
    await limits.close()
    await later.close()


def texts(real_redis: RealRedis) -> dict[str, object]:
    """All that Redis holds as text."""
    return {name: real_redis.command("GET", name) for name in real_redis.names()}


@pytest.mark.parametrize("ahead", [0.0, 3.0, 5.0])
async def test_tokens_of_a_clock_that_is_ahead_are_not_good_again_after_the_memory_was_lost(
    real_redis: RealRedis, ahead: float
) -> None:
    store = RedisStore(real_redis.url, SystemClock(), 5, 60)
    await store.ready()
    hurried = settlement(ahead=6)
    assert (await refusal(store, hurried)).reason is Reason.CREDENTIAL_NOT_YET_VALID
    used = settlement(ahead=ahead)
    real_redis.command("FLUSHALL")
    assert (await settle(store, settlement())).outcome is SettleOutcome.STORE_RESET
    assert (await settle(store, used)).outcome is SettleOutcome.STORE_RESET
    await store.close()


async def test_only_epochs_stay_for_ever(store: RedisStore, real_redis: RealRedis) -> None:
    await settle(store, settlement(life=60))
    await settle(store, settlement(opens=request()))
    kinds = {"jti": 120, "pending": 900, "waiting": 900, "approval": 900 + 86_400, "approvals": 900 + 86_400}
    seen = set()
    for key in real_redis.names():
        kind, left = key.split(":")[2], real_redis.command("TTL", key)
        seen.add(kind)
        assert isinstance(left, int)
        assert left == -1 if kind == "epoch" else kinds[kind] - 10 < left <= kinds[kind], key
    assert seen == {"epoch", *kinds}


async def test_an_index_outlives_its_longest_approval(store: RedisStore, real_redis: RealRedis) -> None:
    long, short = request(), request()
    now = long.requested_at
    for held, digest, life in ((long, "d1", 9000), (short, "d2", 10)):
        values = {field.name: getattr(held, field.name) for field in fields(ApprovalRequest)}
        asked = ApprovalRequest(**{**values, "digest": digest, "expires_at": now + life})
        await settle(store, settlement(opens=asked))
    left = real_redis.command("TTL", redis_keys.approvals(redis_keys.partition_of(Scope("acme", "emea", "bot"))))
    assert isinstance(left, int)
    assert left > 86_400 + 8000


async def test_closing_lets_calls_under_way_finish(real_redis: RealRedis) -> None:
    store = RedisStore(real_redis.url, SystemClock(), 0, 60)
    await store.ready()
    await asyncio.sleep(0.002)
    calls = [asyncio.create_task(settle(store, settlement())) for _ in range(200)]
    await asyncio.sleep(0)
    await store.close()
    assert {(await call).outcome for call in calls} == {SettleOutcome.CLEAR}


def info() -> bytes:
    """What INFO says of both ids."""
    ids = b"run_id:" + b"a" * 40 + b"\r\nmaster_replid:" + b"b" * 40 + b"\r\n"
    return b"$%d\r\n%b\r\n" % (len(ids), ids)


@asynccontextmanager
async def speaking(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Something that prepares like Redis and gives EVALSHA this answer, or hangs up when there is none.

    Yields its URL and the names of the commands it got.
    """
    heard: list[bytes] = []
    prepared = {
        b"INFO": info(),
        b"CONFIG": b"*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n",
        b"GET": b"$-1\r\n",
        b"SCRIPT": b"$40\r\n" + b"a" * 40 + b"\r\n",
        b"EVALSHA": answer,
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        while data := await reader.read(65536):
            commands.feed(data)
            while (command := commands.gets()) is not False:
                heard.append(command[0])
                writer.write(prepared.get(command[0], b"+OK\r\n"))
            if heard[-1] == b"EVALSHA" and not answer:
                break
        writer.close()

    with tempfile.TemporaryDirectory(prefix="aegis-redis-") as folder:
        server = await asyncio.start_unix_server(serve, f"{folder}/r.sock")
        async with server:
            yield f"unix://{folder}/r.sock?protocol=2", heard


CLEAR = b"*4\r\n$5\r\nclear\r\n$0\r\n\r\n$1\r\n0\r\n$0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"+OK\r\n", id="a text"),
        pytest.param(b"$-1\r\n", id="nothing"),
        pytest.param(b"*0\r\n", id="an empty list"),
        pytest.param(b"*1\r\n$5\r\nclear\r\n", id="too short"),
        pytest.param(CLEAR.replace(b"clear", b"CLEAR"), id="an unknown outcome"),
        pytest.param(CLEAR.replace(b"$0\r\n\r\n", b"$1\r\nx\r\n", 1), id="an approval nobody opened"),
        pytest.param(CLEAR[: -len(b"$0\r\n\r\n")] + b"$3\r\nada\r\n", id="granted, and no approval"),
        pytest.param(CLEAR.replace(b"$5\r\nclear", b"$6\r\nopened"), id="opened without an approval"),
        pytest.param(CLEAR.replace(b"$1\r\n0\r\n", b"$1\r\nx\r\n"), id="no time"),
        pytest.param(b"*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", id="numbers"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_never_an_allow(answer: bytes) -> None:
    async with speaking(answer) as (url, _):
        store = RedisStore(url, SystemClock(), 0, 60)
        for call in (settlement(), settlement(opens=request())):
            assert (await refusal(store, call)).reason is Reason.STORE_UNAVAILABLE
        await store.close()


HOUR = CalendarWindow(Period.HOUR, "UTC")
PLAIN = tuple(
    Limit(KINDS[type(terms)], "p", "n", Per.AGENT, Exceed.DENY, (), None, terms)
    for terms in (Count(5, HOUR), Rate(2, 1000, 3))
)


def charged() -> Settlement:
    """A call that is charged what is told in numbers."""
    uncharged = settlement()
    charges = charges_of(PLAIN, {}, uncharged.identity.scope, Sessions("", "", ""), None, uncharged.now)
    return replace(uncharged, charging=Charging(secrets.token_hex(8), charges, 3_600_000, is_held_when_over=True))


async def test_how_plain_charges_stand_is_told_in_numbers() -> None:
    async with speaking(b"*2\r\n$5\r\nclear\r\n*2\r\n:4\r\n:1500\r\n") as (url, _):
        store, call = RedisStore(url, SystemClock(), 0, 60), charged()
        count, rate = (await settle(store, call)).accounts
        assert (count.used, count.left, count.of, count.excess) == (4, 1, 5, Excess.WITHIN)
        assert (rate.used, rate.left, rate.of, rate.resets_at) == (3, 0, 3, int(call.now * 1000) + 750)
        await store.close()


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(b"*1\r\n:4\r\n", id="too few"),
        pytest.param(b"*3\r\n:4\r\n:0\r\n:0\r\n", id="too many"),
        pytest.param(b"*2\r\n:6\r\n:0\r\n", id="more than the limit"),
        pytest.param(b"*2\r\n:-1\r\n:0\r\n", id="less than nothing"),
        pytest.param(b"*2\r\n:4\r\n:2001\r\n", id="more than the burst"),
        pytest.param(b"*2\r\n$1\r\n4\r\n:0\r\n", id="a text"),
        pytest.param(b"$3\r\n4 0\r\n", id="no list"),
    ],
)
async def test_numbers_that_cannot_be_how_charges_stand_are_never_an_allow(numbers: bytes) -> None:
    async with speaking(b"*2\r\n$5\r\nclear\r\n" + numbers) as (url, _):
        store = RedisStore(url, SystemClock(), 0, 60)
        assert (await refusal(store, charged())).reason is Reason.STORE_UNAVAILABLE
        assert (await refusal(store, settlement())).reason is Reason.STORE_UNAVAILABLE, "nor where nothing was charged"
        await store.close()


async def test_arguments_that_cannot_be_written_are_no_answer_of_redis(store: RedisStore) -> None:
    with pytest.raises(ValueError, match="NaN"):
        await settle(store, replace(settlement(), now=float("nan")))


@pytest.mark.parametrize(("answer", "call"), [(b":0\r\n", settlement()), (CLEAR, settlement(opens=request()))])
async def test_an_answer_that_can_be_read_is_taken(answer: bytes, call: Settlement) -> None:
    async with speaking(answer) as (url, _):
        store = RedisStore(url, SystemClock(), 60, 60)
        assert (await settle(store, call)).outcome is SettleOutcome.CLEAR
        await store.close()


async def test_a_call_whose_answer_was_lost_is_not_sent_again() -> None:
    async with speaking(b"") as (url, heard):
        store = RedisStore(url, SystemClock(), 0, 60)
        assert (await refusal(store, settlement())).reason is Reason.STORE_UNAVAILABLE
        assert heard.count(b"EVALSHA") == 1
        await store.close()


@pytest.mark.parametrize("act", [lambda store: store.ready(), lambda store: settle(store, settlement())])
async def test_no_fault_tells_the_password(act: Callable[[RedisStore], Awaitable[object]]) -> None:
    store = RedisStore("redis://:sesame@127.0.0.1:1/0", SystemClock(), 0, 60)
    with pytest.raises((StoreDown, Refused)) as caught:
        await act(store)
    assert "sesame" not in str(caught.value)
    await store.close()


async def copies_of_one_proof(stores: tuple[RedisStore, RedisStore], rounds: int) -> None:
    """In each round 64 copies of one proof, half of them by each store: one is clear, all others are replays."""
    for number in range(rounds):
        token = settlement(jti="bound")
        proof = Proof(f"p-{number}-{secrets.token_hex(4)}", "key", token.now, 65)
        copy = replace(token, identity=replace(token.identity, way=Way.BOUND, proof=proof))
        settled = await asyncio.gather(*(settle(stores[each % 2], copy, 120) for each in range(64)))
        outcomes = [one.outcome for one in settled]
        assert outcomes.count(SettleOutcome.CLEAR) == 1
        assert outcomes.count(SettleOutcome.REPLAYED) == 63


@pytest.fixture
async def stores(real_redis: RealRedis, store: RedisStore) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    """The stores of two workers."""
    another = RedisStore(real_redis.url, SystemClock(), 0, 60)
    yield store, another
    await another.close()


async def test_of_64_copies_of_one_proof_through_two_workers_one_passes(stores: tuple[RedisStore, RedisStore]) -> None:
    await copies_of_one_proof(stores, 20)


@pytest.mark.slow
async def test_of_64_copies_of_one_proof_one_passes_in_each_of_a_thousand_rounds(
    stores: tuple[RedisStore, RedisStore],
) -> None:
    await copies_of_one_proof(stores, 1000)


async def test_the_count_of_a_grant_is_kept_until_the_grant_has_ended(store: RedisStore, real_redis: RealRedis) -> None:
    call = settlement()
    grant = Narrowing("g" * 16, call.now, call.now + 300, 0, 5, {"bank": {"pay": {}}}, "")
    assert (await settle(store, replace(call, grants=(GrantUse(grant, 1),)))).outcome is SettleOutcome.CLEAR
    name = redis_keys.grant(call.identity.scope, grant.id)
    assert real_redis.command("GET", name) == b"1"
    assert 355 <= int(real_redis.command("TTL", name)) <= 360
