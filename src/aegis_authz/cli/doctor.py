"""`aegis doctor`: what this machine lacks, or whether a running mesh does what it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, DIR_VARIABLE, AsJson


def doctor(
    state: Annotated[
        Path | None,
        typer.Option(
            "--dir", envvar=DIR_VARIABLE, help="Prove the mesh that runs in this state folder.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is missing on this machine; with --dir, prove a running mesh by real calls through its proxy.

    Exits with 1 when something is missing or an answer is not as it must be, 2 when no mesh runs there.

    Example: aegis doctor --dir .aegis
    """
    if state is None:
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


def _prove_mesh(state: Path, as_json: bool) -> None:
    import asyncio
    from dataclasses import asdict

    from aegis_authz.cli.doctor_text import show_proofs
    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.proof import prove_mesh
    from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts

    try:
        proofs = asyncio.run(prove_mesh(state, read_facts(state)))
    except (MeshNotRunning, Unable) as fault:
        raise unusable("doctor", str(fault)) from None
    if as_json:
        typer.echo(json.dumps([asdict(proof) for proof in proofs], indent=2))
    else:
        show_proofs(proofs)
    if any(proof.trouble for proof in proofs):
        raise typer.Exit(REFUSED)
