"""A redis-server that tests start, end and let hang."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import redis

_START_SECONDS = 30


class RedisProcess:
    """One redis-server by its command line; `connect` reaches it."""

    def __init__(self, command_line: tuple[str, ...], connect: Callable[[], redis.Redis]) -> None:
        self.command_line = command_line
        self.process: subprocess.Popen[bytes] | None = None
        self._connect = connect

    def start(self) -> None:
        """Start it, empty or with what it saved, and return once it answers. Raises TimeoutError."""
        self.process = subprocess.Popen(self.command_line, stdout=subprocess.DEVNULL)
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError("redis-server did not start")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once, paused or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Take a pause back."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str | int) -> object:
        """One command, as an operator would give it."""
        with self._connect() as client:
            return client.execute_command(*words)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING"))
        except redis.ConnectionError:
            return False
