"""The words and tables of `aegis status` and `aegis logs`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

_LOOK_EVERY = 0.3


def status_table(facts: Mapping[str, Any]) -> str:
    """One line a process."""
    endpoints = {"envoy": facts["proxy"], "control": facts["control"], "opa": facts["opa"], "redis": facts["redis"]}
    endpoints |= {f"authz-{number}": address for number, address in enumerate(facts["authz"])}
    lines = [f"{'process':<10} {'state':<9} {'pid':>7} {'restarts':>8} {'for':>8}  endpoint"]
    for process in facts["processes"]:
        age = _age(time.time() - process["since"])
        pid = process["pid"] or "-"
        name = process["name"]
        lines.append(
            f"{name:<10} {process['state']:<9} {pid:>7} {process['restarts']:>8} {age:>8}  {endpoints.get(name, '')}"
        )
    return "\n".join(lines)


def show_logs(folder: Path, names: Sequence[str], lines: int, follow: bool) -> bool:
    """Print the ends of the logs; returns False when there are none of those names."""
    known = {path.stem: path for path in sorted(folder.glob("*.log"))}
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        typer.echo(f"aegis logs: no log of {', '.join(unknown) or 'any process'} in {folder}", err=True)
        return False
    chosen = {name: known[name] for name in names or known}
    places = {}
    for name, path in chosen.items():
        with path.open("r", encoding="utf-8", errors="replace") as log:
            for line in deque(log, lines):
                typer.echo(f"{name}: {line.rstrip()}")
            places[name] = log.tell()
    while follow:
        for name, path in chosen.items():
            with path.open("r", encoding="utf-8", errors="replace") as log:
                log.seek(places[name])
                for line in log:
                    typer.echo(f"{name}: {line.rstrip()}")
                places[name] = log.tell()
        time.sleep(_LOOK_EVERY)
    return True


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
