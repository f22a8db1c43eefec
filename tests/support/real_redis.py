"""A real Redis on a unix socket, for every test that wants one.

A folder of tests gets it by a conftest.py like that of tests/adapters.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

_START_SECONDS = 10


class RealRedis:
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
        self._command = (str(binary), *fixed, "--loglevel", "warning", *options)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and return once it answers. Raises TimeoutError."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError("redis-server did not start")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once, paused or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Take a pause back."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str) -> object:
        """One command, as an operator would give it."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            return client.execute_command(*words)

    def names(self) -> set[str]:
        """The names of all keys."""
        with redis.Redis(unix_socket_path=str(self.socket), decode_responses=True) as client:
            return set(client.scan_iter(count=1000))

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.ConnectionError:
            return False


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
