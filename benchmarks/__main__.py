"""`make bench`: what a decision costs, against the same Envoy without Aegis, in one run on this machine.

Closed loop, alternating rounds, medians; every answer is checked and a wrong one voids the run. Writes
benchmarks/out/latest.json. Figures of different machines or runs cannot be compared, only ratios of one run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
import yaml
from rich.console import Console
from rich.table import Table

from aegis_authz.bootstrap.keys import issuer_key
from aegis_authz.config import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.local.documents import example_documents
from aegis_authz.local.ports import choose_ports
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.policy.read import load
from aegis_authz.wire.mint import mint_token
from benchmarks.cpu import cpu_seconds, resident_mib
from benchmarks.floor import floor
from benchmarks.load import Load, drive

OUT = Path(__file__).parent / "out" / "latest.json"
_BODY = b'{"amount":4200}'
_HEAD = (
    "POST /v1/payments HTTP/1.1\r\nhost: api.stripe.example\r\ncontent-type: application/json\r\n"
    f"content-length: {len(_BODY)}\r\n"
)


@dataclass(frozen=True)
class Contender:
    """One way of making the call: the port it goes to and the processes it costs."""

    name: str
    port: int
    pids: Mapping[str, int]
    signed: bool


@dataclass(frozen=True)
class Round:
    """One round of one contender. `cpu` is microseconds a call by process."""

    load: Load
    cpu: Mapping[str, float]


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each contender (default: 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of a round (default: 5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32], help="default: 1 32")
    chosen = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as folder:
        results = uvloop.run(_run(Path(folder), chosen, console))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    Console(width=140).print(_table(results))
    wrong = sum(row["errors"] for row in results["rows"])
    if wrong:
        console.print(f"[red]{wrong} wrong answers: the run is void.[/]")
    console.print(f"wrote {OUT}")
    return 1 if wrong else 0


async def _run(folder: Path, chosen: argparse.Namespace, console: Console) -> dict[str, Any]:
    ports = choose_ports({"alone": 0, "tool": 0}, {})
    mesh = DemoMesh(folder / "aegis", DemoTools())
    _documents(mesh, ports["tool"])
    settings = ProxySettings(
        forward_port=ports["alone"],
        reverse_port=ports["tool"],
        admin_socket=str(folder / "admin.sock"),
        authz=("127.0.0.1:1",),
        xds=folder / "floor" / "xds",
        access_log=folder / "access.log",
        ca_file=trusted_authorities(),
    )
    async with floor(folder / "floor", settings, _catalogue(mesh)) as floor_pid:
        await mesh.up()
        try:
            contenders = (
                Contender("Envoy alone", ports["alone"], {"envoy+tool": floor_pid}, signed=False),
                Contender("Aegis", int(mesh.proxy.rpartition(":")[2]), mesh.pids(), signed=True),
            )
            rows = [
                row
                for connections in chosen.connections
                for row in await _compare(mesh, contenders, connections, chosen, console)
            ]
            memory = resident_mib(mesh.pids())
        finally:
            await mesh.down()
    return {"machine": platform.platform(), "python": platform.python_version(), "rows": rows, "resident_mib": memory}


async def _compare(
    mesh: DemoMesh, contenders: tuple[Contender, ...], connections: int, chosen: argparse.Namespace, console: Console
) -> list[dict[str, Any]]:
    rounds: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    expected = 3000.0  # requests a second to prepare tokens for; corrected after the warm-up
    for number in range(chosen.rounds + 1):
        for contender in contenders:
            seconds = chosen.seconds if number else 1.0
            console.print(f"{connections} connections, round {number or 'warm-up'}: {contender.name}")
            requests = _requests(mesh, int(expected * seconds)) if contender.signed else itertools.repeat(_plain())
            before = cpu_seconds(contender.pids)
            load = await drive(contender.port, iter(requests), connections, seconds, 200)
            after = cpu_seconds(contender.pids)
            calls = max(len(load.latencies), 1)
            if number:
                cpu = {name: (after[name] - before[name]) * 1e6 / calls for name in after}
                rounds[contender.name].append(Round(load, cpu))
            elif contender.signed:
                expected = load.rate * 1.5
    return [_row(name, connections, played) for name, played in rounds.items()]


def _row(name: str, connections: int, played: list[Round]) -> dict[str, Any]:
    rates = [one.load.rate for one in played]
    cpu = {process: statistics.median(one.cpu[process] for one in played) for process in played[0].cpu}
    return {
        "contender": name,
        "connections": connections,
        "rate": statistics.median(rates),
        "rate_spread": [min(rates), max(rates)],
        **{
            f"p{label}_ms": statistics.median(one.load.quantile(share) for one in played)
            for label, share in (("50", 0.5), ("90", 0.9), ("99", 0.99), ("999", 0.999))
        },
        "cpu_us_per_decision": {**cpu, "total": sum(cpu.values())},
        "errors": sum(one.load.wrong for one in played),
    }


def _requests(mesh: DemoMesh, count: int) -> Iterator[bytes]:
    key, now = issuer_key(mesh.state / "keys"), time.time()
    settings = yaml.safe_load((mesh.state / "control.yaml").read_text("utf-8"))
    names = {"issuer": settings["issuer"], "audience": settings["audience"], "org": "acme", "tenant": "emea"}
    prepared = []
    for _ in range(count):
        jti = secrets.token_hex(16)
        token = mint_token(key, **names, agent="finance-agent", now=now, ttl=300, jti=jti)
        prepared.append(f"{_HEAD}x-aegis-token: {token}\r\n\r\n".encode() + _BODY)
    return iter(prepared)


def _plain() -> bytes:
    return f"{_HEAD}\r\n".encode() + _BODY


def _documents(mesh: DemoMesh, tool_port: int) -> None:
    for source, target in (("agents", mesh.policies), ("tools", mesh.catalogue)):
        target.mkdir(parents=True)
        for path in sorted((example_documents() / source).glob("*.yaml")):
            (target / path.name).write_text(path.read_text("utf-8").replace(":9001", f":{tool_port}"), "utf-8")


def _catalogue(mesh: DemoMesh) -> Catalogue:
    texts = {path.name: path.read_text("utf-8") for path in sorted(mesh.catalogue.glob("*.yaml"))}
    return Catalogue.of(load({}, texts).tools)


def _table(results: Mapping[str, Any]) -> Table:
    table = Table(title="One decision, closed loop; medians of the rounds")
    for column in ("contender", "conns", "calls/s", "p50 ms", "p99 ms", "CPU µs a call", "of which", "errors"):
        table.add_column(column, justify="left" if column in ("contender", "of which") else "right")
    for row in results["rows"]:
        cpu = dict(row["cpu_us_per_decision"])
        total = cpu.pop("total")
        parts = ", ".join(f"{name} {spent:.0f}" for name, spent in cpu.items() if spent >= 1)
        table.add_row(
            row["contender"],
            str(row["connections"]),
            f"{row['rate']:.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{total:.0f}",
            parts,
            str(row["errors"]),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
