"""A Redis of one's own for as long as sequences are played, on a socket that nobody else knows."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.client import fault_text, open_redis
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.lab.opa import LabError
from aegis_authz.ports.data_plane import Store, StoreDown

_START_SECONDS = 20.0
_PAUSE = 0.05  # seconds
_CONNECTIONS = 2
_MARGIN = Seconds(86_400.0)
"""How much longer than its window an account is kept: what is played may be long over by the clock of Redis, and must
last as long as the playing does. The minute that a mesh keeps it was over between two batches on a busy machine.
"""


class _BeforeAll:
    """A clock that stands still before all time: approvals are pending until the time of a call says otherwise."""

    def now(self) -> Epoch:
        """The time of day."""
        return Epoch(0.0)

    def monotonic(self) -> Monotonic:
        """The other clock."""
        return SystemClock.monotonic()


class LabStore:
    """`lab.sequences.SequenceStore` and `lab.folding.FoldStore` over the stores of a mesh.

    Made and used inside of one event loop.
    """

    def __init__(self, address: Path) -> None:
        url = f"unix://{address}"
        self._redis = open_redis(url, _CONNECTIONS)
        self._store = RedisStore(url, SystemClock(), Seconds(0.0), _MARGIN)
        self.reservations = RedisReservations(url)
        self.approvals = RedisApprovals(url, _BeforeAll())

    @property
    def store(self) -> Store:
        """What calls are settled with."""
        return self._store

    async def forget(self) -> None:
        """Empty it. What it holds counts as whole from the beginning of time: sequences play in years of their own.

        Raises LabError when Redis does not answer for `_START_SECONDS`.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._redis.flushall()
                await self._prepared()
                await self._begin()
        except (redis.RedisError, OSError) as fault:
            raise LabError(f"the Redis of the sequences cannot be used: {fault_text(fault)}") from None

    async def _prepared(self) -> None:
        """Wait for the store: its own patience is that of a worker, which must not stand still for long."""
        while True:
            try:
                return await self._store.ready()
            except StoreDown:
                await asyncio.sleep(_PAUSE)  # and again, until the time of `forget` is over

    async def _begin(self) -> None:
        epoch = await self._redis.get(redis_keys.epoch(redis_keys.ALL_PARTITIONS[-1]))
        life = epoch.partition(b" ")[2] if isinstance(epoch, bytes) else b""
        whole: dict[str, bytes] = {}
        for partition in redis_keys.ALL_PARTITIONS:
            whole[redis_keys.epoch(partition)] = b"0 " + life
            whole[redis_keys.counted(partition)] = life
        await self._redis.mset(whole)

    async def close(self) -> None:
        """Close the connections."""
        await self._store.close()
        await self.reservations.close()
        await self.approvals.close()
        await self._redis.aclose()


@contextmanager
def lab_redis(binary: Path) -> Iterator[Path]:
    """Start Redis without a port and without files; yields its socket. Raises LabError."""
    with tempfile.TemporaryDirectory(prefix="aegis-lab-") as name:
        address = Path(name) / "r.sock"
        options = ("--port", "0", "--unixsocket", str(address), "--save", "", "--appendonly", "no", "--dir", name)
        process = subprocess.Popen(
            [str(binary), *options, "--loglevel", "warning"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            _wait(process, address)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not _answers(address):
        if process.poll() is not None:
            raise LabError("Redis ended at once")
        if time.monotonic() > until:
            raise LabError(f"Redis did not start within {_START_SECONDS:.0f} seconds")
        time.sleep(0.005)


def _answers(address: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(address)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
