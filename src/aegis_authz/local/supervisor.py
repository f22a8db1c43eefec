"""Starts processes in order, each when those before are ready; restarts what dies; stops all in reverse."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from aegis_authz.local.process import Process, ProcessSpec

_LOOK_EVERY = 0.02
_GRACE = 8.0

FIRST_DELAY = 0.1  # a process that died is started again: each time after twice as long
LAST_DELAY = 10.0
STABLE_AFTER = 10.0

Stage = Sequence[ProcessSpec]
"""Processes that start side by side."""


class ProcessState(Enum):
    """Where a process stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"  # died, will be started again
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one process. `pid` is None while it does not run; `since` is wall-clock seconds.

    `why` says how it died last, "" when it never did.
    """

    name: str
    state: ProcessState
    pid: int | None
    restarts: int
    since: float
    why: str


Observer = Callable[[Sequence[Status]], None]
"""Told of every change, with the status of all processes."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a process died in a row. `restarts` counts all, `streak` those without a stable time between."""

    restarts: int
    streak: int

    def died(self, lived: float) -> Backoff:
        """The state after a death; `lived` is how many seconds the process had run."""
        streak = 1 if lived >= STABLE_AFTER else self.streak + 1
        return replace(self, restarts=self.restarts + 1, streak=streak)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        return min(FIRST_DELAY * 2.0 ** max(self.streak - 1, 0), LAST_DELAY)


NEVER_DIED = Backoff(0, 0)


class StartFailed(Exception):
    """A process did not become ready; the message holds the end of its log."""


class Supervisor:
    """Runs the processes until told to stop."""

    def __init__(self, stages: Sequence[Stage], observer: Observer, grace: float = _GRACE) -> None:
        """`stages` start one after another; `grace` is how many seconds a process has to stop by itself."""
        self._stages = stages
        self._observer = observer
        self._grace = grace
        self._running: dict[str, Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._status = {
            spec.name: Status(spec.name, ProcessState.STOPPED, None, 0, time.time(), "")
            for stage in stages
            for spec in stage
        }

    async def run(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        """Start all, call `started`, and keep them running until `stop` is set. Nothing is left behind.

        Raises StartFailed when one does not become ready at first.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            for stage in self._stages:
                starting = asyncio.create_task(self._start_stage(stage))
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done():
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                    return
                await starting
            started()
            tasks, _ = await asyncio.wait({stopping, *self._watchers}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                await task  # a watcher ends by a fault alone
        finally:
            stopping.cancel()
            await self._stop_all()

    async def _start_stage(self, stage: Stage) -> None:
        starting = [asyncio.create_task(self._start(spec, NEVER_DIED, "")) for spec in stage]
        try:
            await asyncio.gather(*starting)
        finally:
            for task in starting:
                task.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
        self._watchers += [asyncio.create_task(self._watch(spec)) for spec in stage]

    async def _start(self, spec: ProcessSpec, backoff: Backoff, why: str) -> None:
        try:
            process = await Process.start(spec, time.monotonic())
        except OSError as fault:
            raise StartFailed(f"{spec.name} cannot be started: {fault}") from None
        self._running[spec.name] = process
        self._note(spec, ProcessState.STARTING, process.pid, backoff, why)
        await self._until_ready(process)
        self._note(spec, ProcessState.READY, process.pid, backoff, why)

    async def _until_ready(self, process: Process) -> None:
        spec = process.spec
        while why := await spec.ready():
            if process.exit_code is not None:
                raise StartFailed(f"{spec.name} {_ended(process.exit_code)} while starting:\n{process.log_tail()}")
            if time.monotonic() - process.started > spec.start_timeout:
                tail = process.log_tail()
                raise StartFailed(f"{spec.name} is not ready after {spec.start_timeout:g} s: {why}\n{tail}")
            await asyncio.sleep(_LOOK_EVERY)

    async def _watch(self, spec: ProcessSpec) -> None:
        backoff, failure = NEVER_DIED, ""
        while True:
            process = self._running[spec.name]
            ended = _ended(await process.wait())
            why = failure or ended
            backoff = backoff.died(time.monotonic() - process.started)
            self._note(spec, ProcessState.WAITING, None, backoff, why)
            await asyncio.sleep(backoff.delay)
            try:
                await self._start(spec, backoff, why)
                failure = ""
            except StartFailed as failed:
                # stopped here, it has ended for the next turn, which waits longer
                await self._running[spec.name].stop(self._grace)
                failure = str(failed).partition("\n")[0].rstrip(":")

    async def _stop_all(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for stage in reversed(self._stages):
            await asyncio.gather(*(self._stop(spec) for spec in stage))

    async def _stop(self, spec: ProcessSpec) -> None:
        process = self._running.get(spec.name)
        if process is not None:
            await process.stop(self._grace)
            last = self._status[spec.name]
            self._note(spec, ProcessState.STOPPED, None, Backoff(last.restarts, 0), last.why)

    def _note(self, spec: ProcessSpec, state: ProcessState, pid: int | None, backoff: Backoff, why: str) -> None:
        self._status[spec.name] = Status(spec.name, state, pid, backoff.restarts, time.time(), why)
        self._observer(list(self._status.values()))


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
