"""A real Redis on a unix socket, for every test that wants one.

A folder of tests gets it by a conftest.py like that of tests/adapters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.redis_process import RedisProcess


class RealRedis(RedisProcess):
    """One redis-server without port and without files; `options` are further command line options."""

    def __init__(self, binary: Path, folder: Path, options: tuple[str, ...] = ()) -> None:
        self.socket = folder / "r.sock"
        self.url = f"unix://{self.socket}"
        fixed = (
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        )
        command_line = (str(binary), *fixed, "--loglevel", "warning", *options)
        super().__init__(command_line, lambda: redis.Redis(unix_socket_path=str(self.socket)))

    def runs_of(self, command: str) -> int:
        """How often a command was run so far."""
        facts = self.command("INFO", "commandstats")
        assert isinstance(facts, dict)
        return int(facts.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def names(self) -> set[str]:
        """The names of all keys."""
        with redis.Redis(unix_socket_path=str(self.socket), decode_responses=True) as client:
            return set(client.scan_iter(count=1000))


@pytest.fixture
def real_redis(redis_binary: Path) -> Iterator[RealRedis]:
    # not tmp_path: a unix socket's path may have 107 bytes
    with tempfile.TemporaryDirectory(prefix="aegis-redis-") as folder:
        server = RealRedis(redis_binary, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
