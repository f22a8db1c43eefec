"""One process of the mesh: what it is, and how it is started and stopped."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Ready = Callable[[], Awaitable[str]]
"""Looks once; returns "" when the process is ready, else why not."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: a child may not load libraries safely
_TAIL_BYTES = 4096
_STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run. `environment` is added to our own; `start_timeout` is seconds until it must be ready."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Ready
    start_timeout: float


class Process:
    """A running process, in a session of its own, that dies with us whatever happens to us."""

    def __init__(self, spec: ProcessSpec, child: asyncio.subprocess.Process, started: float, log_began_at: int) -> None:
        self.spec = spec
        self.started = started
        self._child = child
        self._log_began_at = log_began_at

    @staticmethod
    async def start(spec: ProcessSpec, started: float) -> Process:
        """Start it; `started` is now, in monotonic seconds.

        To be called from the main thread: the kernel ends the process with the thread that started it. Raises OSError.
        """
        with spec.log.open("ab") as log:
            began_at = log.tell()
            child = await asyncio.create_subprocess_exec(
                *spec.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **spec.environment},
                start_new_session=True,
                preexec_fn=_prepared(os.getpid()),
            )
        return Process(spec, child, started, began_at)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._child.returncode

    def log_tail(self) -> str:
        """The last lines it wrote since it was started."""
        try:
            with self.spec.log.open("rb") as log:
                log.seek(max(self._log_began_at, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                return log.read().decode("utf-8", "replace").strip()
        except OSError as fault:
            return f"(no log: {fault.strerror})"

    async def wait(self) -> int:
        """Wait until it ends, and end what it may have left in its group; returns its exit code."""
        code = await self._child.wait()
        self._signal(signal.SIGKILL)
        return code

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL to its whole group after `grace` seconds."""
        if self._child.returncode is None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a stopped process would not hear the first
            try:
                async with asyncio.timeout(grace):
                    await self._child.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
            await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return  # all of the group are gone


def default_signals() -> None:
    """Give every signal that stops a process its default meaning; for a child, before it becomes another program.

    What is ignored (SIGHUP by nohup, SIGINT by a shell's `&`) or blocked stays so through exec: a child would not hear
    what it is told.
    """
    for number in _STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _prepared(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        default_signals()
        if sys.platform == "linux":
            # SIGKILL, because a process that ignores the polite one would outlive us; all of them survive it
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)  # we died before the kernel knew

    return prepare
