"""CPU time and memory of processes, by the operating system's own accounting (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time of each process so far, all threads, in seconds."""
    return {name: _ticks(pid) / _TICKS for name, pid in pids.items()}


def resident_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of each process in MiB."""
    return {name: int(_fields(pid)[21]) * _PAGE / 2**20 for name, pid in pids.items()}


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[11]) + int(fields[12])


def _fields(pid: int) -> list[str]:
    # the name in parentheses may hold spaces; what counts stands behind it
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
