"""`aegis limits`: what becomes of limits when what was used of them may be lost."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

app = typer.Typer(help="How limits stand, and limits after Redis may have lost data.", no_args_is_help=True)


@app.callback()
def limits() -> None:
    """How limits stand, and what becomes of them when what was used may be lost."""


@app.command()
def show(
    agent: Annotated[str, typer.Option("--agent", help="The agent: org/tenant/agent.")],
    state: MeshState = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Show how the limits of an agent stand: what is used of each, what is left, and when that is over.

    Those of all documents that cover the agent; of one for a whole tenant, what all its agents use. Not flags.

    Example: aegis limits show --dir DIR --agent acme/emea/finance-agent
    """
    from aegis_authz.cli.limits_text import limits_table
    from aegis_authz.commands.limits import limits_of
    from aegis_authz.core.scope import Scope

    try:
        scope = Scope.parse(agent)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    with exits_on_faults("limits show"):
        answer = limits_of(state, scope)
    typer.echo(answer.model_dump_json(indent=2) if as_json else "\n".join(limits_table(answer.limits)))


@app.command("reset")
def reset_(
    state: MeshState = DEFAULT_STATE,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the change log.")] = "",
    as_json: AsJson = False,
) -> None:
    """Count nothing that was charged to limits as forgotten, from now on.

    What Redis still holds counts on; what it lost is gone, and can be used again. Limits that refuse with LIMIT_LOST
    let calls pass again at once.

    Example: aegis limits reset --dir DIR --note "failover of 14:02, replica was up to date"
    """
    from aegis_authz.commands.limits import reset_limits

    with exits_on_faults("limits reset"):
        answer = reset_limits(state, note)
    sentence = f"limits reset by {answer.by}: what is still known counts, and calls pass again"
    typer.echo(answer.model_dump_json(indent=2) if as_json else sentence)
