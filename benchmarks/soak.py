"""`make soak`: a steady load for minutes; nothing a mesh holds may drift, and no latency.

Prints one line for each series that was watched, draws them, writes benchmarks/out/soak.json, and fails when one
drifts, when an answer was wrong, or when records are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from redis.exceptions import RedisError
from rich.console import Console
from rich.text import Text

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.vegeta import LoadFailed, Plan, attack
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.documents import AGENT
from benchmarks.contenders.lone_mesh import LoneMesh, lone_mesh
from benchmarks.measure.rounds import Say
from benchmarks.measure.samples import Restarted, Sample, Sampler, record_lines, redis_of
from benchmarks.report import steadiness

OUT = Path(__file__).parent / "out"
WINDOW = 5.0
"""Seconds of one load and of one sample."""
TOKEN_LIFE = 15.0
"""Signed while the window before is sent, sent within the next; short, for the keys of used tokens to pile up early."""
WARM_UP = TOKEN_LIFE + 60.0 + 15.0
"""Seconds until as many used tokens are forgotten as come: their life, what they are kept longer, and some more."""
_CONNECTIONS = 48
_CEILING_SECONDS = 5.0
_MOST_EXPECTED = 6000
_MOST_LATE = 3
_DRAIN = 2.0
_UNUSABLE = 2


@dataclass(slots=True)
class SoakRun:
    """What a soak saw: the outcome of each window with the sample taken at its end, and the records of all."""

    rate: float
    outcomes: list[Outcome] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    records: int = 0


def main() -> int:
    """Run it; returns the exit code: 1 when something drifted or was wrong, 2 when it could not run."""
    arguments = _parser().parse_args()
    console = Console()
    try:
        if arguments.minutes * 60 < WARM_UP + steadiness.LEAST_WINDOWS * WINDOW:
            raise ValueError(f"it takes {WARM_UP / 60:.1f} minutes to warm up, and some to see a trend: --minutes 2")
        run = uvloop.run(_run(arguments, console.print))
        result = steadiness.judge(run.rate, run.outcomes, run.samples, run.records, WARM_UP)
        paths = steadiness.keep(result, OUT)
    except (
        VegetaMissing,
        LoadFailed,
        CommandFailed,
        ServerMissing,
        Restarted,
        RedisError,
        OSError,
        ValueError,
    ) as fault:
        console.print(Text(f"soak: {fault}", style="bold red"), soft_wrap=True)
        return 1 if isinstance(fault, Restarted) else _UNUSABLE
    steadiness.show(console, result)
    console.print(Text(f"wrote {', '.join(map(str, paths))}"), soft_wrap=True)
    return 1 if result.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of load (default: 10; 2 at least)")
    parser.add_argument("--rate", type=float, help="calls a second (default: half of what the mesh can do at most)")
    parser.add_argument("--policies", type=int, default=1000, help="other policies loaded (default: 1000)")
    return parser


async def _run(arguments: argparse.Namespace, say: Say) -> SoakRun:
    vegeta = find_vegeta()
    async with lone_mesh(arguments.policies, Seconds(TOKEN_LIFE)) as mesh:
        with tempfile.TemporaryDirectory(prefix="aegis-soak-") as folder:
            soak = _Soak(mesh, vegeta, Path(folder), say)
            rate = arguments.rate or await soak.half_of_ceiling()
            say(f"{rate:.0f} calls a second for {arguments.minutes:g} minutes, of which {WARM_UP:.0f} s to warm up")
            return await soak.run(rate, round(arguments.minutes * 60 / WINDOW))


class _Soak:
    """Loads one mesh, window after window without a gap, and looks at it at the end of each."""

    def __init__(self, mesh: LoneMesh, vegeta: Path, folder: Path, say: Say) -> None:
        self._mesh = mesh
        self._vegeta = vegeta
        self._folder = folder
        self._say = say

    async def half_of_ceiling(self) -> float:
        """Half the rate of a closed loop.

        Raises what an attack raises, ValueError when nothing was answered rightly.
        """
        self._say(f"looking for the ceiling, {_CEILING_SECONDS:g} s")
        targets = await self._prepare(round(_MOST_EXPECTED * _CEILING_SECONDS))
        outcome = await self._attack(targets, Plan(None, _CEILING_SECONDS, _CONNECTIONS))
        if not outcome.right:
            raise ValueError(f"no call was answered rightly: {dict(outcome.faults) or dict(outcome.refused)}")
        return outcome.achieved / 2

    async def run(self, rate: float, windows: int) -> SoakRun:
        """So many windows at this rate. Raises Restarted, RedisError and what an attack raises."""
        run = SoakRun(rate)
        state = self._mesh.mesh.state
        before = record_lines(state / "records")
        plan = Plan(rate, WINDOW, _CONNECTIONS)
        loop = asyncio.get_running_loop()
        targets = await self._prepare(round(rate * WINDOW))
        under_way: list[asyncio.Task[Outcome]] = []
        try:
            with redis_of(state) as redis:
                sampler = Sampler(state, self._mesh.processes, redis)
                began = loop.time()
                for number in range(windows):
                    under_way.append(asyncio.create_task(self._attack(targets, plan)))
                    targets = await self._prepare(round(rate * WINDOW))
                    await asyncio.sleep(began + (number + 1) * WINDOW - loop.time())
                    run.samples.append(await asyncio.to_thread(sampler.take))
                    _require_in_time(under_way)
                    self._tell(run.samples[-1], windows)
            run.outcomes = await asyncio.gather(*under_way)
        finally:
            for task in under_way:
                task.cancel()
        await asyncio.sleep(_DRAIN)
        run.records = record_lines(state / "records") - before
        return run

    def _tell(self, sample: Sample, windows: int) -> None:
        if round(sample.at / WINDOW) % 12 == 0:
            self._say(f"{sample.at / 60:.0f} of {windows * WINDOW / 60:g} minutes")

    async def _prepare(self, count: int) -> Path:
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        await asyncio.to_thread(self._mesh.write_calls, path, [AGENT], count, secrets.token_hex(8), Epoch(time.time()))
        return path

    async def _attack(self, targets: Path, plan: Plan) -> Outcome:
        try:
            return await attack(self._vegeta, targets, plan)
        finally:
            targets.unlink()  # noqa: ASYNC240  # a file that is gone at once


def _require_in_time(windows: Sequence[asyncio.Task[Outcome]]) -> None:
    """Raises what a window ended with, and ValueError when the windows pile up."""
    for window in windows:
        if window.done():
            window.result()
    if sum(not window.done() for window in windows) > _MOST_LATE:
        raise ValueError("this machine cannot send the load and read its results in time: a lower --rate")


if __name__ == "__main__":
    sys.exit(main())
