"""What a mesh holds at a moment: memory, descriptors and threads of its processes, Redis' keys, the records' size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from aegis_authz.local.mesh_facts import read_facts
from benchmarks.measure.cpu import resident_mib

MEMORY = "memory in MiB"
DESCRIPTORS = "file descriptors"
THREADS = "threads"
KEYS = "keys"
KEY_MEMORY = "memory for keys in MiB"

_BLOCK = 1 << 20

Series = tuple[str, str]
"""Whose, and what: ("opa", "memory in MiB")."""


class Restarted(Exception):
    """A process is no longer the one it was; the message names it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` is seconds since the first sample, `records` bytes of all record files."""

    at: float
    values: Mapping[Series, float]
    records: int


class Sampler:
    """Looks at a mesh whose processes must stay the same. `now` is monotonic seconds."""

    def __init__(
        self,
        state: Path,
        processes: Callable[[], Mapping[str, int]],
        redis: Redis,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = state / "records"
        self._processes = processes
        self._pids = dict(processes())
        self._redis = redis
        self._now = now
        self._began = now()

    def take(self) -> Sample:
        """One sample. Raises Restarted, OSError, RedisError."""
        pids = self._processes()
        changed = sorted(name for name in self._pids if pids.get(name) != self._pids[name])
        if changed:
            raise Restarted(f"{', '.join(changed)} ended and was started again")
        values: dict[Series, float] = {(name, MEMORY): mib for name, mib in resident_mib(self._pids).items()}
        for name, pid in self._pids.items():
            values[name, DESCRIPTORS] = len(os.listdir(f"/proc/{pid}/fd"))
            values[name, THREADS] = len(os.listdir(f"/proc/{pid}/task"))
        values["redis", KEYS] = self._redis.dbsize()
        values["redis", KEY_MEMORY] = self._redis.info("memory")["used_memory"] / 2**20
        return Sample(self._now() - self._began, values, record_bytes(self._records))


def redis_of(state: Path) -> Redis:
    """A client of the Redis of the mesh in `state`. Raises MeshNotRunning."""
    return Redis.from_url(read_facts(state).redis)


def record_bytes(records: Path) -> int:
    """Bytes of all record files of all writers."""
    return sum(path.stat().st_size for path in records.glob("*/*.jsonl"))


def record_lines(records: Path) -> int:
    """Records of all writers: each is a line. Raises OSError."""
    return sum(_lines(path) for path in records.glob("*/*.jsonl"))


def _lines(path: Path) -> int:
    lines = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
    return lines
