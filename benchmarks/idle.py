"""`python -m benchmarks.idle`: what a mesh costs that nobody calls, as the share of a core each process takes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.lone_mesh import lone_mesh, parts
from benchmarks.measure.results import Idle
from benchmarks.measure.rounds import part_seconds
from benchmarks.report.goals import MOST_IDLE

OUT = Path(__file__).parent / "out" / "idle.json"
_UNUSABLE = 2


def main() -> int:
    """Run it; returns the exit code: 1 when the goal is missed, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.idle", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="measured (default: 30)")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds waited before (default: 10)")
    parser.add_argument("--policies", type=int, default=1000, help="other policies loaded (default: 1000)")
    arguments = parser.parse_args()
    console = Console()
    try:
        idle = uvloop.run(measure(arguments.policies, arguments.settle, arguments.seconds))
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(idle.model_dump_json(indent=2) + "\n", "utf-8")
    except (CommandFailed, ServerMissing, OSError) as fault:
        console.print(Text(f"idle: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    show(console, idle)
    return 0 if total(idle) < MOST_IDLE else 1


async def measure(policies: int, settle: float, seconds: float) -> Idle:
    """Bring a mesh up, let it settle, and look at it for so many seconds.

    Raises CommandFailed, ServerMissing, OSError.
    """
    async with lone_mesh(policies) as mesh:
        pids = parts(mesh.processes())
        await asyncio.sleep(settle)
        loop = asyncio.get_running_loop()
        began, before = loop.time(), part_seconds(pids)
        await asyncio.sleep(seconds)
        ended, after = loop.time(), part_seconds(pids)
    return Idle(cores=shares(before, after, ended - began), seconds=ended - began)


def shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """The share of a core each part took, from its CPU seconds before and after."""
    return {part: (after[part] - before[part]) / seconds for part in before}


def total(idle: Idle) -> float:
    """The share of a core all parts take together."""
    return sum(idle.cores.values())


def show(console: Console, idle: Idle) -> None:
    """Print what was found, and the goal met or missed."""
    table = Table("part", "share of a core")
    for part, share in sorted(idle.cores.items(), key=lambda pair: -pair[1]):
        table.add_row(part, f"{share:.2%}")
    console.print(table)
    verdict = "met" if total(idle) < MOST_IDLE else "missed"
    console.print(f"together {total(idle):.2%} of a core; goal, less than {MOST_IDLE:.0%}: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
