"""The words and tables of `aegis up`, `aegis status` and `aegis logs`."""

from __future__ import annotations

import json
import shlex
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from aegis_authz.core.scope import Scope
from aegis_authz.lab.first_call import FirstCall
from aegis_authz.local.health import Health
from aegis_authz.local.mesh_facts import MeshFacts

_LOOK_EVERY = 0.3


EXAMPLE = FirstCall(
    Scope("acme", "emea", "finance-agent"), "POST", "http://api.stripe.example/v1/payments", {"amount": 50000}
)
"""A call that the examples deny, and say why."""


def endpoints(state: Path, facts: MeshFacts, call: FirstCall | None, link: str) -> str:
    """Where the mesh listens, a call to try, and a link by which its owner signs in, "" for none."""
    folder = shlex.quote(str(state))
    return "\n".join(
        (
            f"The mesh is up in {state}.",
            f"  proxy    {facts.proxy}   (agents: HTTP_PROXY)",
            f"  reverse  {facts.reverse}/<tool>/...",
            *(f"  agent    {url}   ({agent}: whoever reaches this port)" for agent, url in facts.workload.items()),
            f"  control  {facts.control}",
            f"  evaluate {facts.evaluation}/access/v1/evaluation   (functions: docs/evaluation.md)",
            f"  metrics  {facts.metrics}",
            *([f"  boards   {facts.control}/dashboards   (once signed in)"] if facts.prometheus else []),
            f"  policies {facts.policies}",
            f"  tools    {facts.tools}",
            *(["Try:", *_curl(facts.proxy, folder, call)] if call is not None else []),
            *(["Watch it, once within ten minutes:", f"  {link}"] if link else []),
            f"Prove it:  aegis doctor --dir {folder}      Stop it:  aegis down --dir {folder}",
        )
    )


def _curl(proxy: str, folder: str, call: FirstCall) -> Iterator[str]:
    scope = call.scope
    mint = f"aegis token mint --dir {folder} --org {scope.org} --tenant {scope.tenant} --agent {scope.agent}"
    yield f'  curl -x {proxy} -H "x-aegis-token: $({mint})" \\'
    if call.body is None:
        yield f"    -X {call.method} {shlex.quote(call.url)}"
        return
    method = "" if call.method == "POST" else f"-X {call.method} "
    body = shlex.quote(json.dumps(call.body, separators=(",", ":")))
    yield f"    {method}-H 'content-type: application/json' -d {body} {shlex.quote(call.url)}"


def status_table(healths: Sequence[Health]) -> str:
    """One line a process, and what troubles it."""
    lines = [f"{'process':<10} {'state':<9} {'pid':>7} {'restarts':>8} {'for':>6}  endpoint"]
    for health in healths:
        age = _age(time.time() - health.since)
        place = f"{health.endpoint}  {health.trouble}".rstrip()
        lines.append(
            f"{health.name:<10} {health.state:<9} {health.pid or '-':>7} {health.restarts:>8} {age:>6}  {place}"
        )
    return "\n".join(lines)


def channel_lines(dead: Sequence[str]) -> Iterator[str]:
    """One line a channel that does not deliver."""
    for channel in dead:
        yield f"channel    dead      {_printable(channel.encode())}"


def show_logs(folder: Path, names: Sequence[str], lines: int, follow: bool) -> bool:
    """Print the ends of the logs; returns False when there are none of those names."""
    logs = {path.stem: path for path in sorted(folder.glob("*.log"))}
    unknown = [name for name in names if name not in logs]
    if unknown or not logs:
        have = f"; there are: {', '.join(logs)}" if logs else ""
        typer.echo(f"aegis logs: no log of {', '.join(unknown) or 'any process'} in {folder}{have}", err=True)
        return False
    selection = {name: logs[name] for name in names or logs}
    places: dict[str, int] = {}
    for name, path in selection.items():
        places[name] = path.stat().st_size
        for line in _last_lines(path, lines, places[name]):
            typer.echo(f"{name}: {line}")
    while follow:
        for name, path in selection.items():
            for line, place in _new_lines(path, places[name]):
                places[name] = place
                typer.echo(f"{name}: {line}")
        time.sleep(_LOOK_EVERY)
    return True


def _last_lines(path: Path, count: int, end: int) -> list[str]:
    with path.open("rb") as log:
        return [_printable(line) for line in deque(log.read(end).splitlines(), count)]


def _new_lines(path: Path, place: int) -> Iterator[tuple[str, int]]:
    """Whole lines written after `place`, each with the place after it; from the start when the file was cut."""
    with path.open("rb") as log:
        log.seek(place if path.stat().st_size >= place else 0)
        while (line := log.readline()).endswith(b"\n"):
            yield _printable(line), log.tell()


def _printable(line: bytes) -> str:
    # what a caller sent may stand in a log: nothing of it may steer the terminal
    text = line.decode("utf-8", "replace").rstrip()
    return "".join(character if character.isprintable() or character == "\t" else "?" for character in text)


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
