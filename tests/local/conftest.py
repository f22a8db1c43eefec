"""Stand-in processes for a supervisor: shell scripts that do as they are told."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from aegis_authz.local.process import ProcessSpec
from aegis_authz.local.supervisor import ProcessState, Status

Scripted = Callable[..., ProcessSpec]


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """`scripted(name, script)`: a process that runs a shell script and is ready when it has made the file $READY.

    `script` may use {name}.ready as well; the default touches $READY and waits to be stopped.
    """

    def spec(
        name: str,
        script: str = 'touch "$READY"; exec sleep 600',
        start_timeout: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> ProcessSpec:
        ready = tmp_path / f"{name}.ready"

        async def look() -> str:
            return "" if ready.exists() else "its file is not there"

        return ProcessSpec(
            name=name,
            arguments=("/bin/sh", "-c", script),
            environment={"READY": str(ready), "FOLDER": str(tmp_path), **(environment or {})},
            log=tmp_path / f"{name}.log",
            ready=look,
            start_timeout=start_timeout,
        )

    return spec


class Watch:
    """An observer that remembers what it was told, and can be waited on."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ProcessState]] = []
        self.pids: dict[str, list[int]] = {}
        self.last: Sequence[Status] = ()
        self._changed = asyncio.Event()

    def __call__(self, statuses: Sequence[Status]) -> None:
        for status in statuses:
            before = next((old for old in self.last if old.name == status.name), None)
            if before is None or (before.state, before.pid) != (status.state, status.pid):
                if status.state is not ProcessState.STOPPED or before is not None:
                    self.seen.append((status.name, status.state))
                if status.pid is not None and status.pid not in self.pids.setdefault(status.name, []):
                    self.pids[status.name].append(status.pid)
        self.last = list(statuses)
        self._changed.set()

    def status(self, name: str) -> Status:
        """What is known of one process now."""
        return next(status for status in self.last if status.name == name)

    async def until(self, is_so: Callable[[Watch], bool], seconds: float = 10) -> None:
        """Wait until the condition holds; it is looked at after every change."""
        async with asyncio.timeout(seconds):
            while not is_so(self):
                self._changed.clear()
                await self._changed.wait()

    @property
    def all_pids(self) -> list[int]:
        """Every process there ever was."""
        return [pid for pids in self.pids.values() for pid in pids]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def ends() -> Callable[[int, float], bool]:
    """`ends(pid, seconds)`: whether the process has ended, or does within that time."""

    def wait(pid: int, seconds: float = 5) -> bool:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

    return wait
