"""Starts processes in order, each when the one before is ready; restarts what dies; stops all in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from aegis_authz.local.process import Process, ProcessSpec
from aegis_authz.local.restart import NEVER_DIED, Backoff

_LOOK_EVERY = 0.02
_GRACE = 8.0


class State(Enum):
    """Where a process stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # died, will be started again
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one process. `pid` is None while it does not run; `since` is wall-clock seconds."""

    name: str
    state: State
    pid: int | None
    restarts: int
    since: float


Observer = Callable[[Sequence[Status]], None]
"""Told of every change, with the status of all processes."""


class StartFailed(Exception):
    """A process did not become ready; the message holds the end of its log."""


class Supervisor:
    """Runs the processes until told to stop."""

    def __init__(self, specs: Sequence[ProcessSpec], observer: Observer) -> None:
        self._specs = specs
        self._observer = observer
        self._running: dict[str, Process] = {}
        self._status = {spec.name: Status(spec.name, State.STOPPED, None, 0, time.time()) for spec in specs}
        self._watchers: list[asyncio.Task[None]] = []

    async def run(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        """Start all, call `started`, and keep them running until `stop` is set. Nothing is left behind.

        Raises StartFailed when one does not become ready at first.
        """
        try:
            if await self._start_all(stop):
                started()
                await stop.wait()
        finally:
            await self._stop_all()

    async def _start_all(self, stop: asyncio.Event) -> bool:
        stopping = asyncio.create_task(stop.wait())
        try:
            for spec in self._specs:
                starting = asyncio.create_task(self._start(spec, NEVER_DIED))
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done():
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                    return False
                await starting
                self._watchers.append(asyncio.create_task(self._watch(spec)))
            return True
        finally:
            stopping.cancel()

    async def _start(self, spec: ProcessSpec, backoff: Backoff) -> None:
        try:
            process = await Process.start(spec, time.monotonic())
        except OSError as fault:
            raise StartFailed(f"{spec.name} cannot be started: {fault}") from None
        self._running[spec.name] = process
        self._note(spec, State.STARTING, process.pid, backoff)
        await self._until_ready(process)
        self._note(spec, State.READY, process.pid, backoff)

    async def _until_ready(self, process: Process) -> None:
        spec = process.spec
        deadline = time.monotonic() + spec.start_timeout
        while why := await spec.ready():
            if process.exit_code is not None:
                raise StartFailed(f"{spec.name} ended with {process.exit_code} while starting:\n{spec.log_tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{spec.name} is not ready after {spec.start_timeout:.0f} s: {why}\n{spec.log_tail()}")
            await asyncio.sleep(_LOOK_EVERY)

    async def _watch(self, spec: ProcessSpec) -> None:
        backoff = NEVER_DIED
        while True:
            process = self._running[spec.name]
            await process.wait()
            backoff = backoff.died(time.monotonic() - process.started)
            self._note(spec, State.WAITING, None, backoff)
            await asyncio.sleep(backoff.delay)
            try:
                await self._start(spec, backoff)
            except StartFailed:
                # it stays in the running set and is stopped or waited for like any other
                await self._running[spec.name].stop(_GRACE)

    async def _stop_all(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for spec in reversed(self._specs):
            process = self._running.get(spec.name)
            if process is not None:
                await process.stop(_GRACE)
                self._note(spec, State.STOPPED, None, Backoff(self._status[spec.name].restarts, 0))

    def _note(self, spec: ProcessSpec, state: State, pid: int | None, backoff: Backoff) -> None:
        self._status[spec.name] = Status(spec.name, state, pid, backoff.restarts, time.time())
        self._observer(list(self._status.values()))
