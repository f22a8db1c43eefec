"""`python -m benchmarks.flat`: what a decision costs with 10 and with 10,000 policies, for one agent and for 10,000.

Meshes of all sizes are up at once and take turns, as in `make bench`. Prints the costs and the goal met or missed,
and writes benchmarks/out/flat.json.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.core.release import BUNDLE_NAME
from aegis_authz.core.units import Epoch
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.vegeta import LoadFailed, Plan, attack
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.documents import AGENT, MOST
from benchmarks.contenders.lone_mesh import LoneMesh, lone_mesh, other_agent, parts
from benchmarks.measure.cpu import resident_mib
from benchmarks.measure.results import DECIDING
from benchmarks.measure.rounds import ClosedRound, Entrant, Rounds, Say
from benchmarks.report.goals import MOST_FLAT

OUT = Path(__file__).parent / "out" / "flat.json"
POLICIES = (10, 1_000, 10_000)
AGENTS = (1, 100, 10_000)
_PUBLISH_WAIT = 30
_UNUSABLE = 2


@dataclass(frozen=True, slots=True)
class Size:
    """A mesh with so many policies, called by so many agents in turn:
    what `benchmarks.measure.rounds.Entrant` asks for.
    """

    mesh: LoneMesh
    policies: int
    agents: int
    pids: Mapping[str, tuple[int, ...]]
    judges: bool = True
    proves: bool = False
    agent: str = AGENT

    @property
    def name(self) -> str:
        """As it is called in the table."""
        return f"{self.policies:,} policies, {self.agents:,} agent{'s' if self.agents > 1 else ''}"

    @property
    def url(self) -> str:
        """Of the Envoy in front."""
        return self.mesh.url

    @property
    def callers(self) -> list[str]:
        """Who calls: one agent alone, or agents of policies that are copies of its own."""
        return [AGENT] if self.agents == 1 else [other_agent(number) for number in range(self.agents)]


class Flat(BaseModel):
    """Medians of the rounds. By number: microseconds of CPU of authorizer, OPA and Redis for one decision.

    `opa_mib` is resident memory after the load, `publish_seconds` from `aegis policy publish` until OPA runs it, and
    `start_seconds` of `aegis up`, each by size. `by_part` is microseconds by size and part.
    """

    model_config = ConfigDict(frozen=True)

    policies: Mapping[int, float]
    agents: Mapping[int, float]
    by_part: Mapping[str, Mapping[str, float]]
    opa_mib: Mapping[str, float]
    bundle_mib: Mapping[str, float]
    start_seconds: Mapping[str, float]
    publish_seconds: Mapping[str, float]
    wrong: int


@dataclass(frozen=True, slots=True)
class MeshStart:
    """A mesh of one size and how long things took, in seconds; `bundle` is bytes."""

    mesh: LoneMesh
    start: float
    publish: float
    bundle: int


class AgentsLoad:
    """Calls of the agents of each size, made ready and sent: what `benchmarks.measure.rounds.Loads` asks for."""

    def __init__(self, vegeta: Path, folder: Path) -> None:
        self._vegeta = vegeta
        self._folder = folder

    async def prepare(self, contender: Entrant, count: int) -> Path:
        """So many signed calls of its agents in turn. Raises OSError, TypeError for one that is no size."""
        if not isinstance(contender, Size):
            raise TypeError(f"{contender.name} has no agents")
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        await asyncio.to_thread(
            contender.mesh.write_calls, path, contender.callers, count, secrets.token_hex(8), Epoch(time.time())
        )
        return path

    async def send(self, calls: Path, plan: Plan) -> Outcome:
        """Send them, each once at most. Raises LoadFailed, OSError."""
        try:
            return await attack(self._vegeta, calls, plan)
        finally:
            calls.unlink()  # noqa: ASYNC240  # a file that is gone at once


def main() -> int:
    """Run it; returns the exit code: 1 when a goal is missed or an answer was wrong, 2 when it could not run."""
    parser = argparse.ArgumentParser(prog="benchmarks.flat", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each size (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round (default: 4)")
    parser.add_argument("--connections", type=int, default=24, help="of the closed loop (default: 24)")
    arguments = parser.parse_args()
    console = Console()
    try:
        plan = Plan(None, arguments.seconds, arguments.connections)
        flat = uvloop.run(measure(plan, arguments.rounds, console.print))
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(flat.model_dump_json(indent=2) + "\n", "utf-8")
    except (VegetaMissing, LoadFailed, CommandFailed, ServerMissing, OSError, ValueError) as fault:
        console.print(Text(f"flat: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    return 0 if show(console, flat) else 1


async def measure(plan: Plan, rounds: int, say: Say) -> Flat:
    """Bring all sizes up and play the rounds. Raises what `main` reports."""
    vegeta = find_vegeta()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-flat-")))
        started = {count: await _start(stack, count, say) for count in POLICIES}
        sizes = _sizes({count: start.mesh for count, start in started.items()})
        played = await Rounds(AgentsLoad(vegeta, folder), say).closed(sizes, rounds, plan)
        opa = {size.policies: resident_mib({"opa": size.pids["opa"][0]})["opa"] for size in sizes}
    return gathered(sizes, played, started, opa)


def gathered(
    sizes: Sequence[Size],
    played: Mapping[str, Sequence[ClosedRound]],
    started: Mapping[int, MeshStart],
    opa_mib: Mapping[int, float],
) -> Flat:
    """The medians of what was played; `opa_mib` and `started` by number of policies."""
    costs = {size.name: [loop.per_decision() for loop in played[size.name]] for size in sizes}
    total = {name: median(sum(cost[part] for part in DECIDING) for cost in each) for name, each in costs.items()}
    return Flat(
        policies={size.policies: total[size.name] for size in sizes if size.agents == 1},
        agents={size.agents: total[size.name] for size in sizes if size.policies == max(POLICIES)},
        by_part={name: {part: median(cost[part] for cost in each) for part in each[0]} for name, each in costs.items()},
        opa_mib={_policies(count): mib for count, mib in opa_mib.items()},
        bundle_mib={_policies(count): start.bundle / 2**20 for count, start in started.items()},
        start_seconds={_policies(count): start.start for count, start in started.items()},
        publish_seconds={_policies(count): start.publish for count, start in started.items()},
        wrong=sum(loop.outcome.wrong for each in played.values() for loop in each),
    )


def show(console: Console, flat: Flat) -> bool:
    """Print what was found; returns whether the goals are met and nothing was wrong."""
    costs = Table("CPU µs", *DECIDING, "envoy", "a decision")
    for name, cost in flat.by_part.items():
        cells = [f"{cost[part]:.0f}" for part in (*DECIDING, "envoy")]
        costs.add_row(name, *cells, f"{sum(cost[part] for part in DECIDING):.0f}")
    console.print(costs)
    sizes = Table("", "OPA MiB", "bundle MiB", "up s", "publish s")
    for name in flat.opa_mib:
        figures = (flat.opa_mib, flat.bundle_mib, flat.start_seconds, flat.publish_seconds)
        sizes.add_row(name, *(f"{figure[name]:.1f}" for figure in figures))
    console.print(sizes)
    ratios = {"policies": ratio(flat.policies), "agents": ratio(flat.agents)}
    for dimension, times in ratios.items():
        verdict = "met" if times <= MOST_FLAT else "missed"
        console.print(
            f"{dimension}: the dearest costs {times:.2f}x the cheapest; goal, at most {MOST_FLAT:g}x: {verdict}"
        )
    if flat.wrong:
        console.print(Text(f"{flat.wrong} wrong answers: this run is void", style="bold red"))
    return max(ratios.values()) <= MOST_FLAT and not flat.wrong


def ratio(costs: Mapping[int, float]) -> float:
    """The greatest cost as a multiple of the least."""
    return max(costs.values()) / min(costs.values())


async def _start(stack: AsyncExitStack, policies: int, say: Say) -> MeshStart:
    say(f"starting a mesh with {policies:,} policies")
    loop = asyncio.get_running_loop()
    began = loop.time()
    mesh = await stack.enter_async_context(lone_mesh(policies))
    start = loop.time() - began
    mesh.mesh.edit_policy(AGENT, f"max_amount: {MOST}", f"max_amount: {MOST + 1}")
    began = loop.time()
    await mesh.mesh.aegis("policy", "publish", "--dir", str(mesh.mesh.state), "--wait", str(_PUBLISH_WAIT), "--json")
    published = loop.time() - began
    # as OPA keeps it: the control plane's is in its database
    bundle = mesh.mesh.state / "opa" / "bundles" / BUNDLE_NAME / "bundle.tar.gz"
    return MeshStart(mesh, start, published, bundle.stat().st_size)


def _sizes(meshes: Mapping[int, LoneMesh]) -> list[Size]:
    """One agent at each number of policies, and with the most policies the other numbers of agents."""
    most = max(meshes)
    pairs = [*((policies, 1) for policies in meshes), *((most, agents) for agents in AGENTS if agents > 1)]
    pids = {policies: _deciding_and_envoy(mesh) for policies, mesh in meshes.items()}
    return [Size(meshes[policies], policies, agents, pids[policies]) for policies, agents in pairs]


def _deciding_and_envoy(mesh: LoneMesh) -> dict[str, tuple[int, ...]]:
    pids = parts(mesh.processes())
    return {part: pids[part] for part in (*DECIDING, "envoy")}


def _policies(count: int) -> str:
    return f"{count:,} policies"


if __name__ == "__main__":
    sys.exit(main())
