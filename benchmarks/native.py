"""`python -m benchmarks.native`: what a decision costs compiled and by the sources, and of equal work with the Go peer.

Workers of one mesh stand side by side on its OPA and Redis and are asked the same calls in turn, straight over their
sockets: no Envoy and no load generator take part, so it says something on a busy machine, too. CPU time a decision of
worker, OPA and Redis, the least of all rounds. Compiled workers take part where `make compiled` was run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import uvloop
from envoy.service.auth.v3 import external_auth_pb2
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz import native
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import Epoch
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.load.calls import ALLOWED, TOKEN_HEADER, Call, Signer
from aegis_authz.local.servers import ServerMissing
from aegis_authz.policy.load import load
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION, SERVICE
from benchmarks.contenders.documents import TOOL
from benchmarks.contenders.lone_mesh import CALLS, LoneMesh, lone_mesh
from benchmarks.contenders.workers import AS_COMPILED, AS_DELIVERED, EQUAL_WORK, EQUAL_WORK_COMPILED, Kind, address_in
from benchmarks.measure.cpu import cpu_seconds
from benchmarks.measure.processes import process

AT_A_TIME = 24
_BATCHES = 20
_PATIENCE = 60.0
_BUDGET = "2000"  # milliseconds: whoever else the machine works for, nothing is refused for lack of time
_PAUSE = 0.2
_TAIL = 0.5  # seconds after a round: what was put off is paid for by who put it off
_LAST_WORDS = 2000
_UNUSABLE = 2
_SHARED = ("opa", "redis")
KINDS: Mapping[str, Kind] = {"everything on": AS_DELIVERED, "equal work": EQUAL_WORK}
COMPILED_KINDS: Mapping[str, Kind] = {
    "everything on, compiled": AS_COMPILED,
    "equal work, compiled": EQUAL_WORK_COMPILED,
}

Question = tuple[bytes, bool]
"""A CheckRequest, and whether the call is due to pass."""


class WrongAnswer(Exception):
    """A worker let through what must be denied, or denied what may pass; the measurement is void."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A worker that takes part: its pid, and what asks it."""

    pid: int
    check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]

    async def play(self, questions: Iterator[Question], count: int) -> None:
        """Ask so many, `AT_A_TIME` of them at once. Raises WrongAnswer, grpc.RpcError."""

        async def ask() -> None:
            for _ in range(count // AT_A_TIME):
                message, is_allowed = next(questions)
                answer = external_auth_pb2.CheckResponse.FromString(await self.check(message, timeout=_PATIENCE))
                if answer.HasField("ok_response") is not is_allowed:
                    raise WrongAnswer(f"{answer.status.message or answer} where {is_allowed=}")

        await asyncio.gather(*[ask() for _ in range(AT_A_TIME)])


def route_of(mesh: LoneMesh) -> str:
    """Where the Envoys of the mesh lead the calls, as their configuration says it. Raises OSError."""
    tools = load({}, {file.name: file.read_text("utf-8") for file in mesh.mesh.catalogue.glob("*.yaml")}).tools
    return Catalogue.of(tools).by_name[TOOL].route


def question(call: Call, token: str, route: str) -> Question:
    """A call as Envoy asks about it."""
    request = external_auth_pb2.CheckRequest()
    attributes = request.attributes
    attributes.context_extensions.update({LISTENER_EXTENSION: "forward", ROUTE_EXTENSION: route})
    attributes.source.address.socket_address.address = "127.0.0.1"
    http = attributes.request.http
    http.id, http.method, http.scheme = "1", call.method, "http"
    http.host, http.path, http.raw_body = call.host, call.path, call.body
    for name, value in (*call.headers.items(), (TOKEN_HEADER, token), ("User-Agent", "benchmark"), ("Accept", "*/*")):
        http.header_map.headers.add(key=name.lower(), raw_value=value.encode("ascii"))
    return bytes(request.SerializeToString()), call.due == ALLOWED


def questions(signer: Signer, route: str, count: int) -> Iterator[Question]:
    """So many questions, made ahead, each with a token of its own."""
    tokens = signer.tokens(os.urandom(8).hex(), Epoch(time.time()))
    return iter([question(CALLS[number % len(CALLS)], next(tokens), route) for number in range(count)])


@asynccontextmanager
async def entrants(mesh: LoneMesh, folder: Path, kinds: Mapping[str, Kind]) -> AsyncIterator[dict[str, Entrant]]:
    """Workers of these kinds beside that of the mesh, up and answering. Raises TimeoutError, OSError."""
    async with AsyncExitStack() as stack:
        workers: dict[str, Entrant] = {}
        for number, (name, kind) in enumerate(kinds.items()):
            place = folder / str(number)
            place.mkdir()
            command = kind.command(kind.write_settings(mesh.mesh.state, place))
            pid = await stack.enter_async_context(process(command, place / "log", kind.environment))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address_in(place)))
            workers[name] = Entrant(pid, channel.unary_unary(f"/{SERVICE}/Check"))
            await _until_it_answers(workers[name], mesh, place / "log")
        yield workers


async def _until_it_answers(worker: Entrant, mesh: LoneMesh, log: Path) -> None:
    give_up, route = time.monotonic() + _PATIENCE, route_of(mesh)
    while True:
        try:
            return await worker.play(questions(mesh.signer, route, AT_A_TIME), AT_A_TIME)
        except (grpc.RpcError, WrongAnswer) as fault:
            if time.monotonic() > give_up:
                words = await asyncio.to_thread(log.read_text, "utf-8")
                raise TimeoutError(f"{fault}; {words[-_LAST_WORDS:]}") from None
            await asyncio.sleep(_PAUSE)


async def measure(mesh: LoneMesh, workers: Mapping[str, Entrant], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of CPU a decision by worker and part, the least of so many rounds. Raises WrongAnswer."""
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    shared = {name: mesh.processes()[name] for name in _SHARED}
    count, route = AT_A_TIME * _BATCHES, route_of(mesh)
    for number in range(rounds + 1):
        for name in list(workers)[:: -1 if number % 2 else 1]:
            calls = questions(mesh.signer, route, count)
            pids = {"worker": workers[name].pid, **shared}
            before = cpu_seconds(pids)
            await workers[name].play(calls, count)
            await asyncio.sleep(_TAIL)
            after = cpu_seconds(pids)
            if number:  # the first warms up
                spent[name].append({part: (after[part] - before[part]) * 1e6 / count for part in pids})
    return {name: min(costs, key=lambda cost: sum(cost.values())) for name, costs in spent.items()}


def show(console: Console, costs: Mapping[str, Mapping[str, float]], left_out: str) -> None:
    """Print what a decision costs, and what share that is of the first."""
    whole = sum(next(iter(costs.values())).values())
    table = Table("a decision", "worker", *_SHARED, "together, µs CPU", "of the first")
    for name, cost in costs.items():
        total = sum(cost.values())
        table.add_row(
            name, *(f"{cost[part]:.0f}" for part in ("worker", *_SHARED)), f"{total:.0f}", f"{total / whole:.2f}"
        )
    console.print(table)
    if left_out:
        console.print(Text(left_out, style="yellow"), soft_wrap=True)


def wanted(build: native.Build | None) -> tuple[dict[str, Kind], str]:
    """Who takes part, and why others do not."""
    if build is not None and not build.trouble:
        return {**KINDS, **COMPILED_KINDS}, ""
    return dict(KINDS), f"no compiled workers: {build.trouble if build else 'run `make compiled`'}"


async def _run(rounds: int, policies: int, console: Console) -> None:
    kinds, left_out = wanted(native.examine())
    with tempfile.TemporaryDirectory(prefix="aegis-native-") as folder:
        async with (
            lone_mesh(policies, words=("--budget-ms", _BUDGET)) as mesh,
            entrants(mesh, Path(folder), kinds) as workers,
        ):
            show(console, await measure(mesh, workers, rounds), left_out)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; returns the exit code: 1 for a wrong answer, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks.native", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="rounds of 480 calls of each kind (default: 10)")
    parser.add_argument("--policies", type=int, default=1000, help="other policies loaded (default: 1000)")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        uvloop.run(_run(options.rounds, options.policies, console))
    except WrongAnswer as wrong:
        console.print(Text(f"native: void: {wrong}", style="bold red"), soft_wrap=True)
        return 1
    except (CommandFailed, ServerMissing, grpc.RpcError, OSError, ValueError) as fault:
        console.print(Text(f"native: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
