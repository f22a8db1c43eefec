"""Many clients, several workers, and whatever is killed: a limit is used up to the unit, and never over it."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.real_redis import RealRedis

CLIENTS = 32
"""Of each of the two workers."""
MOST = 3000
AMOUNT = 2

WORKER = """
import asyncio, os, secrets, sys, time
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.core.charge import Charging
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import KINDS, Budget, CalendarWindow, Count, Exceed, Limit, Per, Period, Rate
from aegis_authz.core.money import Money
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of

MONTH, BOT = CalendarWindow(Period.MONTH, "UTC"), Scope("acme", "emea", "bot")
TERMS = (Count(3000, MONTH), Budget(6000, "USD", MONTH, None), Rate(100000, 1000, 100000))
LIMITS = [Limit(KINDS[type(terms)], "p", KINDS[type(terms)], Per.TENANT, Exceed.DENY, (), None, terms) for terms in TERMS]

class Clock:
    now, monotonic = staticmethod(time.time), staticmethod(time.monotonic)

async def client(store):
    while True:
        now, jti = time.time(), secrets.token_hex(8)
        who = Identity(BOT, "aegis", "k", jti, now, now + 60, (), "", Way.TOKEN, None, "", None)
        charges = charges_of(LIMITS, {}, BOT, Sessions("", "", ""), Money(2, "USD"), now)
        settlement = Settlement(who, None, None, now, (), Charging(jti, charges, 60000, True), None, None)
        try:
            settled = await store.settle(settlement, time.monotonic() + 2)
        except Refused:
            await asyncio.sleep(0.01)
            continue
        if settled.outcome is SettleOutcome.CLEAR:
            os.write(1, b"c")
        elif settled.accounts and settled.accounts[0].excess.value == "1":
            os.write(1, b"x")
            return
        await asyncio.sleep(0.001)

async def main():
    store = RedisStore(sys.argv[1], Clock(), 0, 60)
    await asyncio.gather(*(client(store) for _ in range(int(sys.argv[2]))))

asyncio.run(main())
"""


class Worker:
    """A process of clients that tells each call that was let through by a letter."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-c", WORKER, url, str(CLIENTS)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        assert self.process.stdout is not None
        self.output = self.process.stdout
        os.set_blocking(self.output.fileno(), False)

    def letters(self) -> bytes:
        return os.read(self.output.fileno(), 1 << 16) if select.select([self.output], [], [], 0)[0] else b""

    def kill(self) -> bytes:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        rest = b""
        while piece := self.letters():
            rest += piece
        self.output.close()
        return rest


def reset_limits(server: RealRedis) -> None:
    """What `aegis limits reset` does: every write is on the disk of this Redis, so nothing was lost."""
    program = (
        "import asyncio, sys, time\nfrom aegis_authz.adapters.redis.limits import RedisLimits\n"
        "async def main():\n limits = RedisLimits(sys.argv[1])\n await limits.declare_counted()\n await limits.close()\n"
        "asyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", program, server.url], check=True)


@pytest.mark.slow
def test_a_limit_is_used_up_to_the_unit_whatever_is_killed(redis_binary: Path) -> None:
    chance = random.Random(7)  # noqa: S311  # the same kills every time
    with tempfile.TemporaryDirectory(prefix="aegis-redis-") as folder:
        server = RealRedis(redis_binary, Path(folder), ("--appendonly", "yes", "--appendfsync", "always"))
        server.start()
        workers: list[Worker] = []
        try:
            reset_limits(server)
            workers = [Worker(server.url), Worker(server.url)]
            passed, ended, kills, until = 0, 0, 0, time.monotonic() + 240
            while ended < CLIENTS and time.monotonic() < until:
                time.sleep(0.05)
                for place, worker in enumerate(workers):
                    letters = worker.letters()
                    passed, ended = passed + letters.count(b"c"), ended + letters.count(b"x")
                    if kills < 12 and chance.random() < 0.03:
                        kills += 1
                        letters = worker.kill()
                        passed += letters.count(b"c")
                        workers[place] = Worker(server.url)
                if kills < 12 and chance.random() < 0.03:
                    kills += 1
                    server.kill()
                    server.start()
                    reset_limits(server)
            for worker in workers:
                passed += worker.kill().count(b"c")
            workers = []
            counts = sorted(int(str(value)) for value in _sums(server))
        finally:
            for worker in workers:
                worker.kill()
            server.kill()
    assert kills >= 4
    assert counts == [MOST, MOST * AMOUNT], "used up to the unit, and not one over"
    assert 0 < passed <= MOST, "what was charged and not told, because its worker was killed, is charged all the same"


def _sums(server: RealRedis) -> list[str]:
    values = [server.command("GET", name) for name in server.names() if ":limit:" in name]
    texts = [value.decode() for value in values if isinstance(value, bytes)]
    return [text for text in texts if " " not in text]
