"""`aegis policy history`: which revisions there were, who published each, when and why."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState


def history(
    state: MeshState = DEFAULT_STATE,
    most: Annotated[int, typer.Option("--max", min=1, help="Show at most this many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the revisions that were published or rolled back to, newest first; `*` is the one that is served.

    `aegis policy diff A B` says what changed between two of them, `aegis policy rollback REVISION` serves one again.

    Example: aegis policy history --dir DIR --max 10
    """
    from aegis_authz.cli.policy.text import history_json, history_lines
    from aegis_authz.commands.publishing import change_log

    with exits_on_faults("policy history"):
        log = change_log(state)
    typer.echo(history_json(log, most) if as_json else "\n".join(history_lines(log, most)))
