"""CPU time and memory of processes, by the operating system's own accounting (proc(5), clock_getcpuclockid(3))."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SCHEDULED = 2
"""The clock of a process that counts what the scheduler gave it (CPUCLOCK_SCHED of the kernel)."""


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time of each process so far in seconds, all threads, those that ended included.

    To the nanosecond: `/proc/PID/stat` counts in ticks of 10 ms, and `/proc/PID/task/*/schedstat` forgets the
    threads that ended. Raises OSError when a process is gone.
    """
    return {name: time.clock_gettime(~pid << 3 | _SCHEDULED) for name, pid in pids.items()}


def resident_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of each process in MiB. Raises OSError when a process is gone."""
    return {name: int(_fields(pid)[21]) * _PAGE / 2**20 for name, pid in pids.items()}


def _fields(pid: int) -> list[str]:
    # the name in parentheses may hold spaces; what counts stands behind it
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
