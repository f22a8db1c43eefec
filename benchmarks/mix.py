"""`python -m benchmarks.mix`: what a decision costs on a mix that does not flatter, against the Go peer.

200 routes of 50 tools, 500 agents in 20 tenants, two issuer keys, bodies of 0.2 to 20 KB, 5 % denied, 2 % held, some
MCP; then the two calls of `make bench`. Everyone is asked over its socket, and every answer is checked. Caches are
cold in the first pass after a start, where no agent, route or body was seen before; some cannot hit in passes that
are new; and all are hot when the first comes again.
Prints the costs and the goals met or missed, and writes benchmarks/out/mix.json.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.core.approval import MOST_WAITING_OF_AGENT
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.mix_calls import HELD_SHARE
from benchmarks.contenders.mix_lineup import KEY_LIFE, NAMES, Load, MixContender, mix_line_up, mix_mesh
from benchmarks.contenders.mix_world import TENANTS
from benchmarks.measure.passes import Pass, WrongAnswer, play
from benchmarks.measure.results import DECIDING, MIX_COLD, MIX_HOT, MIX_NEW, MIX_TWO, Mix
from benchmarks.measure.rounds import Say
from benchmarks.report.goals import Goal, mix_goals
from benchmarks.report.tables import WIDE

OUT = Path(__file__).parent / "out" / "mix.json"
STATES = (MIX_COLD, MIX_NEW, MIX_HOT, MIX_TWO)
SEED = 21
_UNUSABLE = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """`calls` of a pass, drawn by `seed`; at most so many `rounds`, as many as `seconds` of the whole allow."""

    calls: int
    rounds: int
    seconds: float
    seed: int


@dataclass(slots=True)
class Played:
    """The passes of a contender, by state."""

    passes: dict[str, list[Pass]] = field(default_factory=lambda: {state: [] for state in STATES})

    def cost(self, state: str) -> dict[str, float]:
        """Microseconds of CPU for a right answer by part, and all of them as `total`, in all passes together.

        Not their median: what is written in Go does not collect its garbage in every pass.
        """
        passes = self.passes[state]
        cpu = {part: sum(each.cpu[part] for each in passes) for part in passes[0].cpu}
        parts = Pass(sum(each.right for each in passes), {}, cpu).per_decision()
        return {**parts, "total": sum(parts[part] for part in parts if part in DECIDING)}

    @property
    def refused(self) -> Counter[str]:
        """Calls that were turned away, by reason, in all passes."""
        return sum((Counter(each.refused) for passes in self.passes.values() for each in passes), Counter[str]())


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code: 1 when a goal is missed or none was measured, or an answer was wrong; 2 when it
    could not run.
    """
    parser = argparse.ArgumentParser(prog="benchmarks.mix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1500, help="of a pass (default: 1500)")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each, at most (default: 5)")
    parser.add_argument("--seconds", type=float, default=170.0, help="for the whole, one round at least (default: 170)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of agents, rights and calls (default: {SEED})")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of: {', '.join(NAMES)}")
    options = parser.parse_args(arguments)
    if options.calls * HELD_SHARE / TENANTS * (options.rounds + 1) > MOST_WAITING_OF_AGENT:  # of the sidecar's way
        parser.error(f"so many rounds hold more than the {MOST_WAITING_OF_AGENT} calls of an agent that may wait")
    console = Console(width=WIDE)
    try:
        plan = Plan(options.calls, options.rounds, options.seconds, options.seed)
        mix = uvloop.run(measure(plan, options.only or NAMES, console.print))
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(mix.model_dump_json(indent=2) + "\n", "utf-8")
    except WrongAnswer as wrong:
        console.print(Text(f"mix: this run is void: {wrong}", style="bold red"), soft_wrap=True)
        return 1
    except (CommandFailed, ServerMissing, grpc.RpcError, OSError, ValueError) as fault:
        console.print(Text(f"mix: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    return 0 if show(console, mix, mix_goals(mix)) else 1


async def measure(plan: Plan, names: Sequence[str], say: Say) -> Mix:
    """Bring everyone up and play the passes. Raises what `main` reports."""
    until = time.monotonic() + plan.seconds
    with tempfile.TemporaryDirectory(prefix="aegis-mix-") as folder:
        say("starting a mesh with the world of the mix, and replacing its issuer key")
        async with mix_mesh(Path(folder), plan.seed) as mesh, mix_line_up(mesh, names, say) as contenders:
            played = {contender.name: Played() for contender in contenders}
            for contender in contenders:
                say(f"first pass: {contender.name}")
                await _play(contender, Load.MIX, MIX_COLD, plan, played)
                await _play(contender, Load.TWO, "", plan, played)  # warms up
            until, rounds, took = min(until, mesh.began + KEY_LIFE), 0, 0.0
            while rounds < plan.rounds and (not rounds or time.monotonic() + took < until):
                say(f"round {rounds + 1}")
                began = time.monotonic()
                for contender in contenders[:: -1 if rounds % 2 else 1]:
                    await _play(contender, Load.MIX, MIX_NEW, replace(plan, seed=plan.seed + 1 + rounds), played)
                    await _play(contender, Load.MIX, MIX_HOT, plan, played)
                    await _play(contender, Load.TWO, MIX_TWO, plan, played)
                rounds, took = rounds + 1, time.monotonic() - began
    return gathered(plan.calls, rounds, played)


async def _play(contender: MixContender, what: Load, state: str, plan: Plan, played: Mapping[str, Played]) -> None:
    place = contender.places[what]
    questions = await asyncio.to_thread(contender.questions, what, plan.calls, plan.seed)
    result = await play(place.check, questions, place.pids)
    if state:
        played[contender.name].passes[state].append(result)


def gathered(calls: int, rounds: int, played: Mapping[str, Played]) -> Mix:
    """What was played, by contender."""
    parts = {name: {state: each.cost(state) for state in STATES} for name, each in played.items()}
    return Mix(
        calls=calls,
        rounds=rounds,
        costs={name: {state: cost["total"] for state, cost in states.items()} for name, states in parts.items()},
        by_part=parts,
        refused={name: dict(each.refused) for name, each in played.items()},
    )


def show(console: Console, mix: Mix, goals: Sequence[Goal]) -> bool:
    """Print what was found; returns whether every goal that was measured is met, and any was."""
    table = Table("µs CPU a decision", *STATES, *(f"OPA {state}" for state in STATES))
    for name, costs in mix.costs.items():
        times = {state: mix.times_peer(name, state) for state in STATES}
        cells = [f"{costs[state]:.0f}" + (f" ({times[state]:.2f}x)" if times[state] else "") for state in STATES]
        table.add_row(name, *cells, *(f"{mix.by_part[name][state].get('opa', 0):.0f}" for state in STATES))
    console.print(table)
    console.print(f"{mix.calls:,} calls a pass; cold: the first, once; the others {mix.rounds} times; x: of the peer")
    for name, reasons in mix.refused.items():
        if reasons:
            console.print(Text(f"{name}: refused {reasons}", style="yellow"))
    for goal in goals:
        verdict = {True: ": met", False: ": missed", None: ""}[goal.met]
        console.print(Text(f"{goal.text}: {goal.measured}{verdict} ({goal.why})"), soft_wrap=True)
    verdicts = [goal.met for goal in goals if goal.met is not None]
    return bool(verdicts) and all(verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
