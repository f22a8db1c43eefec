"""`python -m benchmarks.settle`: what a settle costs with a rate, a budget and a count, against one without limits.

The settle alone: what the call uses is planned, sent, written by a real Redis and read back. Batches of both take
turns, as many calls at a time as a busy worker has. CPU time a call, the least of all rounds, of this process and of
Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.charge import Charging
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import Budget, CalendarWindow, Count, Exceed, Limit, OfParameter, Per, Period, Rate, Terms
from aegis_authz.core.settlement import Settlement, SettleOutcome
from aegis_authz.core.units import DecisionId, Epoch, Jti, LimitId, Micros, Millis, Monotonic, Seconds
from aegis_authz.limits.charges import Sessions, charges_by
from aegis_authz.limits.sheets import Sheets
from aegis_authz.local.servers import ServerMissing, find_redis
from aegis_authz.ports.data_plane import StoreDown
from benchmarks.contenders.documents import SPENDER
from benchmarks.measure.cpu import cpu_seconds
from benchmarks.measure.processes import process, until_ready

BATCH = 24
_BATCHES = 10
_TIMEOUT = 10.0
_UNUSABLE = 2
_DAY = CalendarWindow(Period.DAY, "UTC")
_TERMS: dict[str, Terms] = {
    "budget": Budget(Micros(4 * 10**15), "EUR", _DAY, OfParameter("amount", Micros(1_000_000), "")),
    "rate": Rate(100_000, Millis(1000), 100_000),
    "count": Count(100_000_000, _DAY),
}
LIMITS = {
    LimitId(f"lim_{name}"): Limit(LimitId(f"lim_{name}"), "wide", name, Per.AGENT, Exceed.DENY, (), None, terms)
    for name, terms in _TERMS.items()
}
"""As wide as those of the contender with limits: no call of a run is over one."""
_SHEETS = Sheets()
_NO_SESSION = Sessions("", "", "")


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU that a settle takes: of the process that asks, and of Redis."""

    worker: float
    redis: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.worker + self.redis


def settlement(number: int, *, is_limited: bool) -> Settlement:
    """What the store is asked for one call."""
    now = time.time()
    identity = Identity(
        scope=SPENDER,
        issuer="aegis",
        key_id="k",
        jti=Jti(f"{number}-{now}"),
        issued_at=Epoch(now),
        expires_at=Epoch(now + 60),
        actors=(),
        on_behalf_of="",
        way=Way.TOKEN,
        proof=None,
        session="",
        grant=None,
    )
    charging = _charging(number, Epoch(now)) if is_limited else None
    return Settlement(identity, None, None, Epoch(now), (), charging, None, None)


def _charging(number: int, now: Epoch) -> Charging:
    moment = Millis(int(now * 1000))
    sheet = _SHEETS.of(tuple(LIMITS), LIMITS, SPENDER, moment)
    charges = charges_by(sheet, {"amount": 4200}, _NO_SESSION, None, 1)
    return Charging(DecisionId(f"dec_{number:032x}"), charges, Millis(3_600_000), True)


async def play(store: RedisStore, batches: int, *, is_limited: bool) -> None:
    """Settle so many batches. Raises ValueError for a call that is not clear."""
    numbers = iter(range(batches * BATCH))

    async def settle() -> None:
        settled = await store.settle(
            settlement(next(numbers), is_limited=is_limited), Monotonic(time.monotonic() + _TIMEOUT)
        )
        if settled.outcome is not SettleOutcome.CLEAR or len(settled.accounts) != (3 if is_limited else 0):
            raise ValueError(f"a settle came out as {settled}")

    for _ in range(batches):
        await asyncio.gather(*[settle() for _ in range(BATCH)])


async def measure(store: RedisStore, redis: int, rounds: int) -> dict[bool, Cost]:
    """What a settle costs without limits and with them, the least of so many rounds; `redis` is a pid."""
    costs: dict[bool, list[Cost]] = {False: [], True: []}
    for number in range(rounds + 1):
        for is_limited in (False, True) if number % 2 else (True, False):
            before = _spent(redis)
            await play(store, _BATCHES, is_limited=is_limited)
            after = _spent(redis)
            if number:  # the first warms up
                worker, server = (
                    (late - early) * 1e6 / BATCH / _BATCHES for early, late in zip(before, after, strict=True)
                )
                costs[is_limited].append(Cost(worker, server))
    return {
        kind: Cost(min(cost.worker for cost in spent), min(cost.redis for cost in spent))
        for kind, spent in costs.items()
    }


def _spent(redis: int) -> tuple[float, float]:
    return time.process_time(), cpu_seconds({"redis": redis})["redis"]


@asynccontextmanager
async def lone_store(folder: Path) -> AsyncIterator[tuple[RedisStore, int]]:
    """A store over a Redis of its own, and that one's pid. Raises ServerMissing, StoreDown, OSError."""
    address = f"unix://{folder}/redis.sock"
    options = (
        "--port",
        "0",
        "--unixsocket",
        f"{folder}/redis.sock",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--dir",
        str(folder),
    )
    async with process((str(find_redis()), *options), folder / "log", {}) as pid:
        store = RedisStore(address, SystemClock(), Seconds(0.0))
        memory = RedisLimits(address)
        try:
            await until_ready(store.ready, StoreDown)
            await memory.declare_counted()
            yield store, pid
        finally:
            await memory.close()
            await store.close()


def show(console: Console, costs: Mapping[bool, Cost]) -> None:
    """Print what a settle costs, and how many times that without limits."""
    table = Table("a settle", "this process", "Redis", "together, µs CPU")
    for is_limited, name in ((False, "without limits"), (True, "with a rate, a budget and a count")):
        cost = costs[is_limited]
        table.add_row(name, *(f"{figure:.1f}" for figure in (cost.worker, cost.redis, cost.total)))
    console.print(table)
    console.print(Text(f"{costs[True].total / costs[False].total:.2f} times"))


async def _run(rounds: int) -> dict[bool, Cost]:
    with tempfile.TemporaryDirectory(prefix="aegis-settle-") as folder:
        async with lone_store(Path(folder)) as (store, pid):
            gc.freeze()  # as a worker does
            return await measure(store, pid, rounds)


def main() -> int:
    """Measure and print; returns the exit code: 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.settle", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="rounds of 240 calls of both kinds (default: 40)")
    rounds = parser.parse_args().rounds
    console = Console()
    try:
        show(console, uvloop.run(_run(rounds)))
    except (ServerMissing, StoreDown, OSError, ValueError) as fault:
        console.print(Text(f"settle: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
