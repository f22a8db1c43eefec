"""`aegis limits`: what becomes of limits when what was used of them may be lost."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, As, AsJson, MeshState

app = typer.Typer(help="Limits after Redis lost data, was started again, or another took over.", no_args_is_help=True)


@app.callback()
def limits() -> None:
    """Keep `reset` a verb of its own."""


@app.command("reset")
def reset_(
    state: MeshState = DEFAULT_STATE,
    by: As = None,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the change log.")] = "",
    as_json: AsJson = False,
) -> None:
    """Count nothing that was charged to limits as forgotten, from now on.

    What Redis still holds counts on; what it lost is gone, and can be used again. Limits that refuse with LIMIT_LOST
    let calls pass again at once.

    Example: aegis limits reset --dir DIR --note "failover of 14:02, replica was up to date"
    """
    from aegis_authz.commands.control import operator_name
    from aegis_authz.commands.limits import reset_limits

    with exits_on_faults("limits reset"):
        answer = reset_limits(state, by or operator_name(), note)
    sentence = f"limits reset by {answer.by}: what is still known counts, and calls pass again"
    typer.echo(answer.model_dump_json(indent=2) if as_json else sentence)
