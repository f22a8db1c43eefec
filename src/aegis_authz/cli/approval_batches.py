"""Approving several held calls by command: each is shown whole first, and each has a result of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.policy.source.problems import printable


def approve_several(
    state: Path, names: Sequence[str], note: str, *, is_sure: bool, as_json: bool, is_typed: bool
) -> None:
    """Show all of them, ask, and approve one after the other. Exits with 1 when one of them was not approved."""
    from aegis_authz.cli.approvals_text import approval_sheet
    from aegis_authz.commands.approvals import approve, get_approval
    from aegis_authz.commands.faults import CommandFault

    if is_typed:
        raise typer.BadParameter("values are typed for one call at a time", param_hint="--confirm")
    unique = list(dict.fromkeys(names))
    with exits_on_faults("approvals approve"):
        approvals = [get_approval(state, name) for name in unique]
    if not as_json:
        for approval in approvals:
            approval_sheet(approval)
            typer.echo("")
    # nobody is asked about what was not shown
    is_asked = not is_sure and not as_json and sys.stdin.isatty()
    if not is_sure and not (is_asked and typer.confirm(f"Approve these {len(approvals)} calls?")):
        typer.echo("nothing is approved: --yes approves what is shown", err=True)
        raise typer.Exit(REFUSED)
    results: list[dict[str, object]] = []
    for approval in approvals:
        try:
            approved = approve(state, approval.id, note, {})
            results.append(
                {"id": approval.id, "state": approved.state.value, "override_token": approved.override_token}
            )
        except CommandFault as fault:
            results.append({"id": approval.id, "state": "", "refusal": str(fault)})
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        for result in results:
            typer.echo(f"{printable(str(result['id']))}  {printable(str(result['state'] or result['refusal']))}")
    if not all(result["state"] for result in results):
        raise typer.Exit(REFUSED)
