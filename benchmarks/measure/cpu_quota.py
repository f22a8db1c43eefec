"""A share of a core for a process, by a control group of its own: version 1 or 2, whichever this machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PERIOD_US = 10_000
"""Short, so that a process is never stopped for longer than some milliseconds."""
_LEAST_US = 1_000  # of a quota, says the kernel
_MOST_WEIGHT, _MOST_SHARES = 10_000, 102_400
"""So that the share is what limits, whatever else the machine does."""
_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup"))


class QuotaUnavailable(Exception):
    """No control group with a share of the CPU can be made here; the message says what it needs."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The group of one process, and the share of a core that it has."""

    folder: Path
    share: float

    def periods(self) -> tuple[int, int]:
        """In how many periods the process ran, and in how many of these it wanted more. Raises OSError."""
        lines = (self.folder / "cpu.stat").read_text("ascii").splitlines()
        counts = dict(line.split() for line in lines)
        return int(counts["nr_periods"]), int(counts["nr_throttled"])


def settings_of(share: float, is_second_version: bool) -> dict[str, str]:
    """The files of a group that give it a share of a core. Raises ValueError for less than the kernel can keep."""
    quota = round(share * _PERIOD_US)
    if quota < _LEAST_US:
        raise ValueError(f"a share of less than {_LEAST_US / _PERIOD_US:.0%} of a core cannot be kept")
    if is_second_version:
        return {"cpu.max": f"{quota} {_PERIOD_US}", "cpu.weight": str(_MOST_WEIGHT)}
    return {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota), "cpu.shares": str(_MOST_SHARES)}


@contextmanager
def limited(pid: int, share: float) -> Iterator[Quota]:
    """That process, with all its threads, has so much of a core and no more until the block ends.

    Raises QuotaUnavailable, ValueError.
    """
    root = _root()
    folder = root / f"aegis-bench-{os.getpid()}-{pid}"
    settings = settings_of(share, (root / "cgroup.controllers").exists())
    try:
        folder.mkdir()
        for name, value in settings.items():
            (folder / name).write_text(value, "ascii")
        (folder / "cgroup.procs").write_text(str(pid), "ascii")
    except OSError as fault:
        raise QuotaUnavailable(f"{folder}: {fault}; a control group can be made by root") from fault
    try:
        yield Quota(folder, share)
    finally:
        for member in (folder / "cgroup.procs").read_text("ascii").split():
            (root / "cgroup.procs").write_text(member, "ascii")
        folder.rmdir()


def _root() -> Path:
    for root in _ROOTS:
        controllers = root / "cgroup.controllers"
        has_cpu = controllers.exists() and "cpu" in controllers.read_text("ascii").split()
        if has_cpu or (root / "cpu.cfs_quota_us").exists() or (root / "cpu.cfs_period_us").exists():
            return root
    raise QuotaUnavailable("no control group here has the controller cpu")
