"""`python -m benchmarks.scale`: what a second authorizer behind one Envoy adds, each with a share of a core of its own.

A mesh with one authorizer and a mesh with two take turns; all else has what is left of the machine. A run counts only
where each authorizer wanted more than its share: else something else was the limit, and nothing was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.text import Text

from aegis_authz.core.units import Epoch
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.vegeta import LoadFailed, Plan, attack
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.documents import AGENT
from benchmarks.contenders.lone_mesh import LoneMesh, lone_mesh
from benchmarks.measure.cpu_quota import Quota, QuotaUnavailable, limited
from benchmarks.measure.results import Scale
from benchmarks.report.pages import write_page

OUT = Path(__file__).parent / "out" / "scale.json"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "sizing.md"
START, END = "<!-- two authorizers -->", "<!-- end of two authorizers -->"
GOAL = 1.8
_BUDGET_MS = "2000"  # of a decision: a process with a tenth of a core is slow, and is to be measured, not refused
_MOST_CALLS = 6_000  # a second, of a whole core: how many calls are made ready
_UNUSABLE = 2
_LEAST_HELD = 0.5  # of the periods in which an authorizer ran
_CONNECTIONS = 32  # of the closed loop, for each authorizer: as many calls at once for each, and batches as large


class NothingMeasured(Exception):
    """A run does not show what it is to show; the message says why."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A mesh, and what its authorizers are held to."""

    mesh: LoneMesh
    quotas: tuple[Quota, ...]


def main() -> int:
    """Run it; returns the exit code: 1 when the goal is missed, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=0.2, help="of a core, for each authorizer (default: 0.2)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a round (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each mesh (default: 3)")
    parser.add_argument("--write", action="store_true", help="write docs/sizing.md")
    arguments = parser.parse_args()
    console = Console()
    try:
        scale = uvloop.run(measure(arguments.share, arguments.seconds, arguments.rounds))
    except (NothingMeasured, QuotaUnavailable, VegetaMissing, LoadFailed, CommandFailed) as fault:
        console.print(Text(f"scale: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    except (ServerMissing, OSError, ValueError) as fault:
        console.print(Text(f"scale: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(scale.model_dump_json(indent=2) + "\n", "utf-8")
    console.print(sentence(scale), soft_wrap=True)
    if arguments.write:
        write_page(PAGE, START, END, sentence(scale))
    return 0 if scale.factor >= GOAL else 1


async def measure(share: float, seconds: float, rounds: int) -> Scale:
    """Play so many rounds on both meshes in turn. Raises what `main` takes."""
    vegeta = find_vegeta()
    rates: dict[int, list[float]] = {1: [], 2: []}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-scale-")))
        contenders = {count: await _contender(stack, count, share) for count in rates}
        for _ in range(rounds):
            for count, contender in contenders.items():
                calls = folder / f"{secrets.token_hex(8)}.jsonl"
                amount = round(seconds * share * count * _MOST_CALLS)
                await asyncio.to_thread(
                    contender.mesh.write_calls, calls, [AGENT], amount, secrets.token_hex(8), Epoch(time.time())
                )
                rates[count].append(await _rate(contender, vegeta, calls, Plan(None, seconds, _CONNECTIONS * count)))
    return Scale(share=share, seconds=seconds, one=tuple(rates[1]), two=tuple(rates[2]))


async def _contender(stack: AsyncExitStack, count: int, share: float) -> Contender:
    words = ("--budget-ms", _BUDGET_MS, "--workers", str(count))
    mesh = await stack.enter_async_context(lone_mesh(0, words=words))
    pids = [pid for name, pid in mesh.processes().items() if name.startswith("authz-")]
    if len(pids) != count:
        raise NothingMeasured(f"{len(pids)} authorizers run in place of {count}")
    return Contender(mesh, tuple(stack.enter_context(limited(pid, share)) for pid in pids))


async def _rate(contender: Contender, vegeta: Path, calls: Path, plan: Plan) -> float:
    before = [quota.periods() for quota in contender.quotas]
    outcome = await attack(vegeta, calls, plan)
    after = [quota.periods() for quota in contender.quotas]
    counts = [(late[0] - early[0], late[1] - early[1]) for early, late in zip(before, after, strict=True)]
    return rate_of(outcome, [held / max(ran, 1) for ran, held in counts])


def rate_of(outcome: Outcome, held_back: Sequence[float]) -> float:
    """Right answers a second of a run. Raises NothingMeasured for one with other answers, or whose authorizers had
    more than they wanted.
    """
    if outcome.wrong or outcome.failed or outcome.turned_away:
        faults = {**outcome.faults, **outcome.refused}
        raise NothingMeasured(f"of {outcome.sent} calls {outcome.right} were answered rightly: {faults}")
    if min(held_back) < _LEAST_HELD:
        shares = ", ".join(f"{share:.0%}" for share in held_back)
        raise NothingMeasured(f"something else than their shares was the limit: held back in {shares} of periods")
    return outcome.achieved


def sentence(scale: Scale) -> str:
    """What was found, for people."""
    one, two = median(scale.one), median(scale.two)
    spread = " to ".join(f"{value:,.0f}" for value in (min(scale.two), max(scale.two)))
    rounds = f"{spread} in {len(scale.two)} rounds of {scale.seconds:g} seconds"
    held = f"each authorizer held to {scale.share:.0%} of a core by a control group of its own (goal: {GOAL} times)"
    return (
        f"Two authorizers behind one Envoy answer {scale.factor:.2f} times the calls of one: {two:,.0f} calls a second "
        f"({rounds}) against {one:,.0f}, {held}."
    )


if __name__ == "__main__":
    sys.exit(main())
