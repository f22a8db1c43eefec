"""`aegis up`, `down`, `status`, `logs`: a whole mesh on one machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aegis_authz.cli.exit_codes import REFUSED, UNABLE
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, HERE, AsJson, MeshState

if TYPE_CHECKING:
    from aegis_authz.config.channels import ChannelSettings
    from aegis_authz.core.scope import Scope

_LAST_PORT = 65_535

BudgetMs = Annotated[
    float, typer.Option(min=10, max=10_000, help="Milliseconds a decision may take; 40 suit a CPU of one's own.")
]

Policies = Annotated[
    Path | None, typer.Option("--policies", help="Folder of policies; default: ./agents, else the examples.")
]
Tools = Annotated[
    Path | None, typer.Option("--tools", help="Folder of tool catalogues; default: ./tools, else the examples.")
]

Echo = Annotated[bool, typer.Option("--echo", help="Stand in for HTTP tools on this machine that nobody has started.")]

Workload = Annotated[
    list[str] | None,
    typer.Option(
        "--workload",
        metavar="ORG/TENANT/AGENT[=PORT]",
        help="Give an agent a loopback port of its own: whoever on this machine reaches it is that agent.",
    ),
]
Channels = Annotated[
    Path | None, typer.Option("--channels", help="File that says how Slack and others are reached (docs/approvals.md).")
]
Https = Annotated[bool, typer.Option("--https/--no-https", help="Open HTTPS, to judge what is inside (docs/https.md).")]

Observability = Annotated[
    bool, typer.Option("--observability", help="Start a Prometheus too; the console then shows the dashboards.")
]

Host = Annotated[
    Literal["http2", "grpc"],
    typer.Option(envvar="AEGIS_WORKER_HOST", help="What carries calls to the authorizers (docs/performance.md)."),
]


def up(
    state: MeshState = DEFAULT_STATE,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the mesh is ready.")] = False,
    policies: Policies = None,
    tools: Tools = None,
    proxy_port: Annotated[int, typer.Option(min=0, max=65535, help="Forward proxy; 0: any free port.")] = 0,
    reverse_port: Annotated[int, typer.Option(min=0, max=65535, help="Reverse routes; 0: any free port.")] = 0,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Control plane; 0: any free port.")] = 0,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Metrics; 0: any free port.")] = 0,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Authorizer processes.")] = 2,
    host: Host = "http2",
    environment: Annotated[str, typer.Option(help="Name of the environment, told to policies.")] = "local",
    region: Annotated[str, typer.Option(help="Region of the mesh; then a document pins tenants to regions.")] = "",
    budget_ms: BudgetMs = 250,  # local.settings.LOCAL_BUDGET_MS; help must not load it
    echo: Echo = False,
    workload: Workload = None,
    https: Https = True,
    channels: Channels = None,
    otlp: Annotated[str, typer.Option(help="Where spans go, by OTLP/gRPC; with a path (/v1/traces) by HTTP.")] = "",
    observability: Observability = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print mesh.json instead of words.")] = False,
    ready_fd: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Start Redis, the control plane, OPA, the authorizers, the service of certificates and Envoy; keep them running.

    Ends on Ctrl-C, SIGTERM or SIGHUP and stops all of them. Exits with 1 when the mesh cannot start.

    Example: aegis up --detach --dir .aegis --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.mesh_run import run_detached, run_foreground, run_supervisor
    from aegis_authz.config.authz import WorkerHost
    from aegis_authz.local.mesh_facts import MeshRunning, is_running
    from aegis_authz.local.settings import LocalWorkload, MeshOptions

    if is_running(state):
        typer.echo(f"aegis up: {MeshRunning(state)}", err=True)
        raise typer.Exit(REFUSED)
    policies, tools = _folders(policies, tools)
    port_options = {"proxy": proxy_port, "reverse": reverse_port, "control": control_port, "metrics": metrics_port}
    own_ports = dict(map(_own_port, workload or ()))
    ports = _ports(state, {**port_options, **({"prometheus": 0} if observability else {})}, own_ports)
    if detach:
        folders = ["--dir", str(state), "--policies", str(policies), "--tools", str(tools)]
        numbers = [word for purpose, port in port_options.items() for word in (f"--{purpose}-port", str(port))]
        words = ["--workers", str(workers), "--host", host, "--environment", environment, "--otlp", otlp]
        flags = ["--region", region, "--budget-ms", str(budget_ms), *_switches(echo, https, own_ports, channels)]
        flags += ["--observability"] if observability else []
        run_detached(state, [*folders, *numbers, *words, *flags], as_json)
        return
    workloads = tuple(LocalWorkload(agent, ports[f"workload {agent}"]) for agent in own_ports)
    own = (WorkerHost(host), environment, otlp, budget_ms, echo, workloads, https, region)
    options = MeshOptions(
        policies, tools, ports, workers, *own, channels=_channels(channels), observability=observability
    )
    if ready_fd >= 0:
        run_supervisor(state, options, ready_fd)
    else:
        run_foreground(state, options, as_json)


def _folders(policies: Path | None, tools: Path | None) -> tuple[Path, Path]:
    from aegis_authz.local.documents import example_documents

    home = Path() if all(folder.is_dir() for folder in HERE) else example_documents()
    return (policies or home / "agents").resolve(), (tools or home / "tools").resolve()


def _channels(file: Path | None) -> ChannelSettings | None:
    from aegis_authz.commands.mesh import channels_of_file

    with exits_on_faults("up"):
        return None if file is None else channels_of_file(file)


def _switches(echo: bool, https: bool, own_ports: Mapping[Scope, int], channels: Path | None) -> list[str]:
    _channels(channels)  # what is wrong with the file is said here, and not by the mesh in its log
    places = [] if channels is None else ["--channels", str(channels.resolve())]
    agents = [word for agent, port in own_ports.items() for word in ("--workload", f"{agent}={port}")]
    return [*(["--echo"] if echo else []), "--https" if https else "--no-https", *agents, *places]


def _ports(state: Path, requests: Mapping[str, int], own_ports: Mapping[Scope, int]) -> dict[str, int]:
    from aegis_authz.local.tcp_ports import PortTaken, choose_ports, remembered_ports

    own_requests = {f"workload {agent}": port for agent, port in own_ports.items()}
    try:
        return choose_ports({**requests, **own_requests, "evaluation": 0, "probe": 0}, remembered_ports(state))
    except PortTaken as fault:
        raise unusable("up", str(fault)) from None


def _own_port(text: str) -> tuple[Scope, int]:
    from aegis_authz.core.scope import Scope

    name, _, port = text.partition("=")
    try:
        agent = Scope.parse(name)
    except ValueError as fault:
        raise unusable("up", f"--workload {text}: {fault}") from None
    if port and (not port.isascii() or not port.isdecimal() or int(port) > _LAST_PORT):
        raise unusable("up", f"--workload {text}: the port is a number of at most {_LAST_PORT}")
    return agent, int(port or 0)


def down(state: MeshState = DEFAULT_STATE) -> None:
    """Stop the mesh and wait until all of it is gone. Does nothing when none runs."""
    from aegis_authz.local.stopping import CannotStop, stop_mesh

    try:
        was_running = stop_mesh(state)
    except (CannotStop, OSError) as fault:
        typer.echo(f"aegis down: {fault}", err=True)
        raise typer.Exit(REFUSED) from None
    typer.echo(f"stopped the mesh in {state}" if was_running else f"no mesh runs in {state}")


def status(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Ask each process of the mesh how it is, and each channel by which people learn of held calls.

    Exits with 1 when one is not ready or does not deliver, 2 when no mesh runs.
    """
    import asyncio
    from dataclasses import asdict

    from aegis_authz.cli.mesh_text import channel_lines, status_table
    from aegis_authz.commands.approvals import dead_channels
    from aegis_authz.commands.faults import CommandFault
    from aegis_authz.local.health import look_at
    from aegis_authz.local.mesh_facts import MeshNotRunning, facts_to_json, read_facts

    try:
        facts = read_facts(state)
    except MeshNotRunning as fault:
        raise unusable("status", str(fault)) from None
    healths = asyncio.run(look_at(facts))
    dead: list[str] = []
    if not any(health.trouble for health in healths):  # else the process that is away is the trouble
        try:
            dead = dead_channels(state)
        except CommandFault as fault:
            dead = [f"not listed: {fault}"]
    healthy = not dead and not any(health.trouble for health in healths)
    if as_json:
        processes = [asdict(health) for health in healths]
        channels = {"healthy": healthy, "processes": processes, "dead_channels": dead}
        typer.echo(json.dumps({**facts_to_json(facts), **channels}, indent=2))
    else:
        typer.echo("\n".join((status_table(healths), *channel_lines(dead))))
    if not healthy:
        raise typer.Exit(REFUSED)


def logs(
    names: Annotated[list[str] | None, typer.Argument(help="Processes; default: all.")] = None,
    state: MeshState = DEFAULT_STATE,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
) -> None:
    """Show what the mesh's processes wrote, also after it was stopped."""
    from aegis_authz.cli.mesh_text import show_logs

    if not show_logs(state / "logs", names or [], lines, follow):
        raise typer.Exit(UNABLE)
