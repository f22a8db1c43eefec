"""`aegis up`, `down`, `status`, `logs`: a whole mesh on one machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

State = Annotated[Path, typer.Option("--dir", help="The mesh's state folder.")]
DEFAULT_STATE = Path(".aegis")


def up(
    state: State = DEFAULT_STATE,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the mesh is ready.")] = False,
    policies: Annotated[Path | None, typer.Option("--policies", help="Folder of policy documents.")] = None,
    tools: Annotated[Path | None, typer.Option("--tools", help="Folder of tool catalogues.")] = None,
    proxy_port: Annotated[int, typer.Option(min=0, max=65535, help="Forward proxy; 0: any free port.")] = 0,
    reverse_port: Annotated[int, typer.Option(min=0, max=65535, help="Reverse routes; 0: any free port.")] = 0,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Control plane; 0: any free port.")] = 0,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Metrics; 0: any free port.")] = 0,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Authorizer processes.")] = 2,
    environment: Annotated[str, typer.Option(help="Name of the environment, told to policies.")] = "local",
    otlp: Annotated[str, typer.Option(help="OTLP/gRPC endpoint for spans; none without it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the endpoints as JSON.")] = False,
    ready_fd: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Start Redis, the control plane, OPA, the authorizers and Envoy, and keep them running.

    Example: aegis up --detach --dir .aegis --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.mesh_run import run_detached, run_foreground
    from aegis_authz.local.documents import example_documents
    from aegis_authz.local.ports import PortTaken, choose_ports
    from aegis_authz.local.settings import MeshOptions

    if detach:
        arguments = [word for word in sys.argv[1:] if word not in ("--detach", "-d", "--json")]
        run_detached(state, arguments, as_json)
        return
    wanted = {"proxy": proxy_port, "reverse": reverse_port, "control": control_port, "metrics": metrics_port, "probe": 0}
    try:
        ports = choose_ports(wanted)
    except PortTaken as fault:
        typer.echo(f"aegis up: {fault}", err=True)
        raise typer.Exit(2) from None
    options = MeshOptions(
        policies=(policies or example_documents() / "agents").resolve(),
        tools=(tools or example_documents() / "tools").resolve(),
        ports=ports,
        workers=workers,
        environment=environment,
        otlp_endpoint=otlp,
    )
    run_foreground(state, options, ready_fd, as_json)


def down(state: State = DEFAULT_STATE) -> None:
    """Stop the mesh and wait until all of it is gone."""
    from aegis_authz.local.stopping import stop_mesh

    typer.echo(f"stopped the mesh in {state}" if stop_mesh(state) else f"no mesh runs in {state}")


def status(
    state: State = DEFAULT_STATE, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show each process of the mesh. Exits with 1 when one is not ready, 2 when no mesh runs."""
    from aegis_authz.cli.mesh_text import status_table
    from aegis_authz.local.facts import MeshNotRunning, read_facts

    try:
        facts = read_facts(state)
    except MeshNotRunning as fault:
        typer.echo(f"aegis status: {fault}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps(facts, indent=2) if as_json else status_table(facts))
    if any(process["state"] != "ready" for process in facts["processes"]):
        raise typer.Exit(1)


def logs(
    names: Annotated[list[str] | None, typer.Argument(help="Processes; default: all.")] = None,
    state: State = DEFAULT_STATE,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
) -> None:
    """Show what the mesh's processes wrote, also after it was stopped."""
    from aegis_authz.cli.mesh_text import show_logs

    if not show_logs(state / "logs", names or [], lines, follow):
        raise typer.Exit(2)
