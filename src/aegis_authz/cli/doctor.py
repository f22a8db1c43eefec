"""`aegis doctor`: what this machine lacks, or whether a running mesh does what it must."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, DIR_VARIABLE, AsJson

if TYPE_CHECKING:
    from aegis_authz.local.proof import Proof


def doctor(
    state: Annotated[
        Path | None,
        typer.Option(
            "--dir", envvar=DIR_VARIABLE, help="Prove the mesh that runs in this state folder.", show_default=False
        ),
    ] = None,
    gateway: Annotated[
        str,
        typer.Option("--gateway", metavar="URL", help="Prove the gateway whose proxy is there, as an agent sees it."),
    ] = "",
    door: Annotated[str, typer.Option("--door", metavar="URL", help="Its control door, with --gateway.")] = "",
    authorities: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="What verifies its certificate, with --gateway.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is missing on this machine; with --dir, prove a running mesh by real calls through its proxy.

    With --gateway, prove what any gateway must refuse, from where an agent is: in a container, a pod, on another
    machine. Exits with 1 when something is missing or an answer is not as it must be, 2 when no mesh runs there.

    Example: aegis doctor --dir .aegis
    """
    if gateway:
        _prove_gateway(gateway, door, authorities, as_json)
    elif door or authorities is not None:
        raise unusable("doctor", "--door and --ca are of a gateway: name it with --gateway")
    elif state is None:
        _check_machine(as_json)
    else:
        _prove_mesh(state, as_json)


def _check_machine(as_json: bool) -> None:
    from dataclasses import asdict

    from aegis_authz.cli.doctor_text import show_findings
    from aegis_authz.local.checkup import check_machine

    findings = check_machine(DEFAULT_STATE)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show_findings(findings)
    if any(finding.trouble for finding in findings):
        raise typer.Exit(REFUSED)


def _prove_gateway(gateway: str, door: str, authorities: Path | None, as_json: bool) -> None:
    import asyncio

    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.gateway_proof import GatewayPlaces, prove_gateway

    try:
        proofs = asyncio.run(prove_gateway(GatewayPlaces(gateway, door, authorities)))
    except Unable as fault:
        raise unusable("doctor", str(fault)) from None
    _show(proofs, as_json)


def _prove_mesh(state: Path, as_json: bool) -> None:
    import asyncio

    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.proof import prove_mesh
    from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts

    try:
        proofs = asyncio.run(prove_mesh(state, read_facts(state)))
    except (MeshNotRunning, Unable) as fault:
        raise unusable("doctor", str(fault)) from None
    _show(proofs, as_json)


def _show(proofs: Sequence[Proof], as_json: bool) -> None:
    from dataclasses import asdict

    from aegis_authz.cli.doctor_text import show_proofs

    if as_json:
        typer.echo(json.dumps([asdict(proof) for proof in proofs], indent=2))
    else:
        show_proofs(proofs)
    if any(proof.trouble for proof in proofs):
        raise typer.Exit(REFUSED)
