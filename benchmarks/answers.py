"""`python -m benchmarks.answers`: what judging a call costs with OPA's answers remembered, and without.

The judging alone: a question is made, and answered by a real OPA or from memory, 24 calls at a time. Once as two calls
that come again and again, once among 500 different ones, once with arguments that never repeat. CPU time a call, the
least of all rounds, of this process and of OPA.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count, cycle
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.adapters.opa.answers import Answers
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.adapters.opa.pdp import OpaPdp
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Evaluation
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Digest, Epoch, Jti, Monotonic
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders import documents
from benchmarks.contenders.lone_opa import lone_opa
from benchmarks.measure.cpu import cpu_seconds

BATCH = 24
_BATCHES = 20
_TIMEOUT = 10.0
_UNUSABLE = 2
KINDS: dict[str, Callable[[], Iterator[int]]] = {
    "two calls": lambda: cycle((4200, 50_000)),
    "500 calls": lambda: cycle(range(1, 501)),
    "never the same": lambda: count(1),
}
Cost = tuple[float, float]
"""Microseconds of CPU that judging a call takes: of the process that asks, and of OPA."""


def question(amount: int) -> Evaluation:
    """A payment of so much, as the policy of the other benchmarks judges it."""
    who = Identity(documents.FINANCE, "a", "k", Jti("j"), Epoch(0.0), Epoch(1.0), (), "", Way.TOKEN, None, "", None)
    parameters: dict[str, Json] = {"amount": amount, "currency": "EUR", "reference": "INV-204817"}
    place = (documents.HOST, None, "POST", documents.PATH, "", NO_RPC)
    call = ToolCall(
        CallKind.ACTION, documents.TOOL, documents.ACTION, parameters, (), *place, Digest("d"), "", "http", {}, {}, 1
    )
    return Evaluation(who, call, Epoch(0.0), "production", "", frozenset(), None)


async def play(pdp: OpaPdp, amounts: Iterator[int], batches: int) -> None:
    """Judge so many batches. Raises Refused."""
    for _ in range(batches):
        until = Monotonic(time.monotonic() + _TIMEOUT)
        await asyncio.gather(*[pdp.evaluate(question(next(amounts)), until) for _ in range(BATCH)])


async def measure(socket: Path, opa: int, rounds: int) -> dict[tuple[str, bool], Cost]:
    """The least of so many rounds for each kind, without memory and with it, taking turns; `opa` is a pid."""
    spent: dict[tuple[str, bool], list[Cost]] = {}
    http = OpaHttp(socket)
    pdps = {False: OpaPdp(http), True: OpaPdp(http, answers=Answers(time.monotonic))}
    sources = {kind: make() for kind, make in KINDS.items()}
    for number in range(rounds + 1):
        for kind, amounts in sources.items():
            for is_remembered in (False, True) if number % 2 else (True, False):
                before = time.process_time(), cpu_seconds({"opa": opa})["opa"]
                await play(pdps[is_remembered], amounts, _BATCHES)
                after = time.process_time(), cpu_seconds({"opa": opa})["opa"]
                if number:  # the first warms up
                    own, server = [(b - a) * 1e6 / BATCH / _BATCHES for a, b in zip(before, after, strict=True)]
                    spent.setdefault((kind, is_remembered), []).append((own, server))
    for pdp in pdps.values():
        await pdp.close()
    return {name: (min(own for own, _ in costs), min(opa for _, opa in costs)) for name, costs in spent.items()}


@asynccontextmanager
async def judging_opa(folder: Path, others: int) -> AsyncIterator[tuple[Path, int]]:
    """An OPA with the policy and so many others: its socket and pid. Raises ServerMissing, OSError, ValueError."""
    documents.write_documents(folder / "policies", folder / "tools", others, 1)
    async with lone_opa(folder) as (socket, pid):
        yield socket, pid


def show(console: Console, costs: dict[tuple[str, bool], Cost]) -> None:
    """Print what judging costs."""
    table = Table("judging", "answers", "this process", "OPA", "together, µs CPU")
    for (kind, is_remembered), (own, opa) in costs.items():
        word = "remembered" if is_remembered else "asked for"
        table.add_row(kind, word, *(f"{figure:.1f}" for figure in (own, opa, own + opa)))
    console.print(table)


async def _run(rounds: int) -> dict[tuple[str, bool], Cost]:
    with tempfile.TemporaryDirectory(prefix="aegis-answers-") as folder:
        async with judging_opa(Path(folder), 100) as (socket, pid):
            gc.freeze()  # as a worker does
            return await measure(socket, pid, rounds)


def main() -> int:
    """Measure and print; returns the exit code: 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.answers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="rounds of 480 calls of each kind (default: 20)")
    rounds = parser.parse_args().rounds
    console = Console()
    try:
        show(console, uvloop.run(_run(rounds)))
    except (ServerMissing, OpaUnreachable, OSError, ValueError) as fault:
        console.print(Text(f"answers: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
