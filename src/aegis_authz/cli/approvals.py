"""`aegis approvals`: see held calls and decide them."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, As, AsJson, MeshState

app = typer.Typer(help="See the calls that wait for a human, and decide them.", no_args_is_help=True)

ApprovalId = Annotated[str, typer.Argument(help="The approval's id (`apr_...`).")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the control plane's log.")]


@app.command("list")
def list_(
    state: MeshState = DEFAULT_STATE,
    standing: Annotated[
        str, typer.Option("--state", help="pending, approved, denied, expired, cancelled, used, or all.")
    ] = "pending",
    as_json: AsJson = False,
) -> None:
    """List approvals, newest first.

    Example: aegis approvals list --dir DIR --state all
    """
    from aegis_authz.cli.approvals_text import approvals_table
    from aegis_authz.commands.approvals import list_approvals

    with exits_on_faults("approvals list"):
        approvals = list_approvals(state, "" if standing == "all" else standing)
    if as_json:
        typer.echo(approvals.model_dump_json(indent=2))
    else:
        approvals_table(approvals.approvals, standing)


@app.command()
def show(approval_id: ApprovalId, state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show exactly what would run.

    Example: aegis approvals show apr_3f... --dir DIR
    """
    from aegis_authz.cli.approvals_text import approval_sheet
    from aegis_authz.commands.approvals import get_approval

    with exits_on_faults("approvals show"):
        approval = get_approval(state, approval_id)
    if as_json:
        typer.echo(approval.model_dump_json(indent=2))
    else:
        approval_sheet(approval)


@app.command("approve")
def approve_(
    approval_id: ApprovalId, state: MeshState = DEFAULT_STATE, by: As = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Approve a held call and print its one-time override token.

    Example: aegis approvals approve apr_3f... --dir DIR --as ann --note "invoice 1181"
    """
    from aegis_authz.cli.approvals_text import approved_text
    from aegis_authz.commands.approvals import approve
    from aegis_authz.commands.control import operator_name

    with exits_on_faults("approvals approve"):
        approved = approve(state, approval_id, by or operator_name(), note)
    typer.echo(approved.model_dump_json(indent=2) if as_json else approved_text(approved))


@app.command("deny")
def deny_(
    approval_id: ApprovalId, state: MeshState = DEFAULT_STATE, by: As = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Deny a held call.

    Example: aegis approvals deny apr_3f... --dir DIR
    """
    from aegis_authz.cli.approvals_text import denied_text
    from aegis_authz.commands.approvals import deny
    from aegis_authz.commands.control import operator_name

    with exits_on_faults("approvals deny"):
        denied = deny(state, approval_id, by or operator_name(), note)
    typer.echo(denied.model_dump_json(indent=2) if as_json else denied_text(denied))
