"""Charges that are settled in one operation and those that are settled one by one: the same answers, the same keys.

Each example is played in two databases of one Redis: as the authorizer sends it, and with all that is plain taken apart.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast

import pytest
import redis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import script
from aegis_authz.adapters.redis.settle_script import Arguments, read_settled, script_arguments, settle_call
from aegis_authz.core.approval import ApprovalProof, ApprovalRequest, Unattended
from aegis_authz.core.charge import Charge, Charging, Excess, Fixed, Measure, Pace, Sum
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import MOST_MICROS, MOST_PACE, MOST_RATE, Count, Exceed, Limit, Per, RollingWindow
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from tests.support.real_redis import RealRedis

MARGIN = 600.0
SLACK = 60_000
"""Milliseconds between what is asked of one database and of the other, on the busiest machine."""
SCOPES = [Scope("acme", "emea", name) for name in ("bot", "cat")]
PARTITION = redis_keys.partition_of(SCOPES[0])
EPOCH = redis_keys.epoch(PARTITION)
LENGTH = 60_000
CALLS_OF_PUBLICATION = 3
"""How many calls know the same limits; those of the next count in the same accounts."""
SEEN: Counter[object] = Counter()


@dataclass(frozen=True)
class Call:
    """One settlement: what the clock has gone on by since the last, ms, and what is charged."""

    step: int
    agent: int
    charges: tuple[tuple[int, Exceed, int], ...]
    is_held: bool
    is_repeated: bool


MOST = st.sampled_from([1, 3, 10, 2**31, MOST_MICROS - 1, MOST_MICROS])
CHARGES = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from([Exceed.DENY] * 3 + list(Exceed)), st.sampled_from([1, 2, 7, MOST_MICROS])
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda entry: entry[:2],
)
STEPS = st.sampled_from([0, 0, 1, 3, 250, 999, 1001, LENGTH, -1, -400, -LENGTH])
CALLS = st.builds(
    Call, STEPS, st.integers(0, 1), CHARGES.map(tuple), st.booleans(), st.integers(0, 9).map(lambda n: not n)
)
EXAMPLES = st.tuples(
    st.lists(CALLS, min_size=2, max_size=25), st.sampled_from(["counted", "counted", "new", "forgotten"])
)


def measure(kind: int, amount: int, now: int) -> Measure:
    """One of ten limits."""
    window = Fixed(now // LENGTH * LENGTH, (now // LENGTH + 1) * LENGTH)
    return [
        Sum(amount, 10, window, True),
        Sum(1, 3, window, False),
        Sum(amount, MOST_MICROS, window, False),
        Sum(amount, MOST_MICROS - 1, window, True),
        Pace(3, 1000, 3, 1),
        Pace(7, 60_000, 1, 1),
        Pace(MOST_RATE, 1000, MOST_RATE, 1),
        Pace(1, MOST_PACE, MOST_RATE, 1),
        Pace(3, 1000, 3, 2),
        Pace(3, 1000, 3, 4),
    ][kind]


def charge(kind: int, exceed: Exceed, amount: int, scope: Scope, now: int, publication: int = 0) -> Charge:
    """A charge to the account of the agent, or of its tenant."""
    limit = limit_of(kind, exceed, publication)
    return Charge(limit, limit.holder_of(scope), measure(kind, amount, now))


@cache
def limit_of(kind: int, exceed: Exceed, publication: int) -> Limit:
    """One of ten, the same in all calls of a publication, as policy has it."""
    per = Per.TENANT if kind % 2 else Per.AGENT
    approval = (
        ApprovalTerms((), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
        if exceed is Exceed.APPROVAL_NEEDED
        else None
    )
    name = f"of publication {publication}"
    return Limit(f"l{kind}{exceed.value}", "p", name, per, exceed, (), approval, Count(1, RollingWindow(1)))


def settlement(number: int, call: Call, now: int) -> Settlement:
    """What the store is asked."""
    scope, moment = SCOPES[call.agent], now / 1000
    name = str(number - 1 if call.is_repeated else number)
    who = Identity(scope, "aegis", "k", name, moment, moment + 60, (), "", Way.TOKEN, None, "", None)
    publication = number // CALLS_OF_PUBLICATION
    charges = tuple(charge(kind, exceed, amount, scope, now, publication) for kind, exceed, amount in call.charges)
    opens = None
    if call.is_held or any(entry.limit.approval for entry in charges):
        terms = (("p",), (), moment, moment + 900, {}, "b1", "d-1", 1, (), ())
        approval_id = redis_keys.approval_id(scope, f"{number:032x}")
        opens = ApprovalRequest(
            approval_id, scope, "stripe", "pay", {}, f"digest {call.charges}", "r1", *terms, ApprovalProof.ANY, ""
        )
    charging = Charging(f"d-{number}", charges, 3_600_000, not call.is_held)
    return Settlement(who, None, opens, moment, (), charging, None, None)


def taken_apart(arguments: Arguments) -> Arguments:
    """The same, with what is plain judged as if something followed it."""
    assert arguments.count("plain") == 1
    position = arguments.index("plain") + 1
    packed = arguments[position]
    assert isinstance(packed, bytes)
    numbers = list(struct.unpack(f"<{len(packed) // 8}d", packed))
    is_alone = (len(numbers) - 3) // 7 * 6
    assert numbers[is_alone] in (0, 1)
    numbers[is_alone] = 0
    return (*arguments[:position], struct.pack(f"<{len(numbers)}d", *numbers), *arguments[position + 1 :])


def held(client: redis.Redis) -> dict[bytes, tuple[object, int]]:
    """All keys with their values, and how long each lives, in ms."""
    readers: dict[bytes, Callable[[bytes], object]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }
    names = cast(list[bytes], client.keys())
    return {name: (readers[client.type(name)](name), client.pttl(name)) for name in names}


class Side:
    """One database, and the form in which it is asked."""

    def __init__(self, server: RealRedis, database: int, form: Callable[[Arguments], Arguments]) -> None:
        self.client = redis.Redis(unix_socket_path=str(server.socket), db=database)
        self._form = form
        self._settle = self.client.register_script(script("settle.lua"))
        server, replication = (cast(dict[str, str], self.client.info(part)) for part in ("server", "replication"))
        self._life = server["run_id"] + replication["master_replid"]

    def begin(self, epoch: int, memory: str) -> None:
        """Empty, with a memory that began at `epoch`."""
        self.client.flushdb()
        if memory != "forgotten":
            self.client.set(EPOCH, f"{epoch} {self._life}")
        if memory == "counted":
            self.client.set(redis_keys.counted(PARTITION), self._life)

    def settle(self, question: Settlement) -> Settled:
        """What it answers."""
        count, *rest = self._form(script_arguments(settle_call(question, MARGIN), self._life, 0.0))
        assert isinstance(count, int)
        return read_settled(self._settle(rest[:count], rest[count:]), question)


def play(sides: tuple[Side, Side], calls: list[Call], memory: str) -> None:
    now = int(time.time() * 1000) // LENGTH * LENGTH + LENGTH // 2
    for side in sides:
        side.begin(now - 2 * LENGTH if memory == "counted" else now - 100, memory)
    for number, call in enumerate(calls):
        now += call.step
        question = settlement(number, call, now)
        plain, apart = (side.settle(question) for side in sides)
        assert plain == apart, (number, question)
        SEEN.update((plain.outcome, account.excess) for account in plain.accounts)
        if plain.outcome is SettleOutcome.STORE_RESET:  # the memory begins by the clock of Redis, a moment apart
            sides[0].client.copy(EPOCH, EPOCH, destination_db=1, replace=True)
        first, second = (held(side.client) for side in sides)
        assert first.keys() == second.keys()
        for name, (value, life) in first.items():
            assert value == second[name][0], name
            assert abs(life - second[name][1]) < SLACK, name


def play_many(server: RealRedis, examples: int) -> None:
    sides = Side(server, 0, lambda arguments: arguments), Side(server, 1, taken_apart)
    try:

        @settings(max_examples=examples, deadline=None, derandomize=True, phases=(Phase.generate,))
        @given(EXAMPLES)
        def agree(example: tuple[list[Call], str]) -> None:
            play(sides, *example)

        agree()
    finally:
        for side in sides:
            side.client.close()


def test_charges_in_one_operation_are_those_of_one_by_one(real_redis: RealRedis) -> None:
    play_many(real_redis, 25)


@pytest.mark.slow
def test_charges_in_one_operation_are_those_of_one_by_one_in_every_case(real_redis: RealRedis) -> None:
    SEEN.clear()
    play_many(real_redis, 150)
    assert {(SettleOutcome.CLEAR, Excess.WITHIN), (SettleOutcome.CLEAR, Excess.OVER)} <= set(SEEN)
    assert {(SettleOutcome.LIMIT_EXCEEDED, excess) for excess in (Excess.OVER, Excess.LOST)} <= set(SEEN)
    assert {(SettleOutcome.OPENED, Excess.WITHIN), (SettleOutcome.OPENED, Excess.OVER)} <= set(SEEN)
