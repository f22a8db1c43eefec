"""`aegis approvals`: see held calls and decide them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import told
from aegis_authz.core.json_value import Json

app = typer.Typer(help="See the calls that wait for a human, and decide them.", no_args_is_help=True)

State = Annotated[Path, typer.Option("--dir", help="The state folder of the mesh.")]
ApprovalId = Annotated[str, typer.Argument(help="The approval's id (`apr_...`).")]
As = Annotated[str | None, typer.Option("--as", help="Your name; default: the user of the operating system.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the control plane's log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    state: State,
    standing: Annotated[
        str, typer.Option("--state", help="pending, approved, denied, expired, cancelled, used, or all.")
    ] = "pending",
    as_json: AsJson = False,
) -> None:
    """List approvals, newest first.

    Example: aegis approvals list --dir DIR --state all
    """
    from aegis_authz.cli.approvals_text import approvals_table
    from aegis_authz.commands.admin import control_client

    with told("approvals list"), control_client(state) as control:
        said = control.approvals("" if standing == "all" else standing)
    if as_json:
        _print_json(said)
    else:
        approvals_table(said, standing)


@app.command()
def show(approval_id: ApprovalId, state: State, as_json: AsJson = False) -> None:
    """Show exactly what would run.

    Example: aegis approvals show apr_3f... --dir DIR
    """
    from aegis_authz.cli.approvals_text import approval_sheet
    from aegis_authz.commands.admin import control_client

    with told("approvals show"), control_client(state) as control:
        said = control.approval(approval_id)
    if as_json:
        _print_json(said)
    else:
        approval_sheet(said)


@app.command()
def approve(approval_id: ApprovalId, state: State, by: As = None, note: Note = "", as_json: AsJson = False) -> None:
    """Approve a held call and print its one-time override token.

    Example: aegis approvals approve apr_3f... --dir DIR --as ann --note "invoice 1181"
    """
    from aegis_authz.cli.approvals_text import approved_text
    from aegis_authz.commands.admin import control_client, operator_name

    with told("approvals approve"), control_client(state) as control:
        said = control.approve(approval_id, by or operator_name(), note)
    if as_json:
        _print_json(said)
    else:
        typer.echo(approved_text(said))


@app.command()
def deny(approval_id: ApprovalId, state: State, by: As = None, note: Note = "", as_json: AsJson = False) -> None:
    """Deny a held call.

    Example: aegis approvals deny apr_3f... --dir DIR
    """
    from aegis_authz.cli.approvals_text import denied_text
    from aegis_authz.commands.admin import control_client, operator_name

    with told("approvals deny"), control_client(state) as control:
        said = control.deny(approval_id, by or operator_name(), note)
    if as_json:
        _print_json(said)
    else:
        typer.echo(denied_text(said))


def _print_json(said: Mapping[str, Json]) -> None:
    typer.echo(json.dumps(said, indent=2))
