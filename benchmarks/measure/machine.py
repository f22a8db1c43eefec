"""The machine a run was made on, and the versions of what ran there."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from aegis_authz import native
from aegis_authz.load.fetch_vegeta import VERSION as VEGETA_VERSION
from aegis_authz.local.servers import versions

_ASK_TIMEOUT = 10.0
_PLUGIN_SAYS = re.compile(r"^Version: (\S+)", re.MULTILINE)


def describe(peer: Path | None, cores: str) -> dict[str, str]:
    """What a figure depends on, by name. `peer` is the binary of the Go peer, None when it takes no part.

    `cores` says how many there are, and who ran on which where that was chosen.
    """
    return {
        "cpu": _cpu_model(),
        "cores": cores,
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        "compiled modules": native.state(),
        **versions(),
        **{name: importlib.metadata.version(name) for name in ("grpcio", "uvloop") if _is_installed(name)},
        "vegeta": VEGETA_VERSION,
        **({"opa-envoy-plugin": _plugin_version(peer)} if peer else {}),
    }


def taken_by_others(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Share of the machine's time that its host gave to other guests, between two of `ticks`."""
    stolen, total = after[0] - before[0], after[1] - before[1]
    return stolen / total if total else 0.0


def ticks() -> tuple[int, int]:
    """Ticks stolen by the host so far, and all ticks, of all cores (proc(5))."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[7], sum(fields)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _is_installed(name: str) -> bool:
    return next(iter(importlib.metadata.distributions(name=name)), None) is not None


def _plugin_version(binary: Path) -> str:
    try:
        process = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=_ASK_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError) as fault:
        return f"unknown ({type(fault).__name__})"
    match = _PLUGIN_SAYS.search(process.stdout)
    return f"OPA {match[1]} inside" if match else "unknown"
