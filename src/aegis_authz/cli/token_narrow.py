"""`aegis token narrow`: a token for one task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.agent import AgentName, ControlUrl, KeyFile, chosen_side
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, OptionalState

if TYPE_CHECKING:
    from aegis_authz.commands.narrowing import Narrowed
    from aegis_authz.core.units import Epoch

COMMAND = "token narrow"

Tools = Annotated[
    list[str] | None, typer.Option("--tool", help="A tool of the task, with all its actions; may be repeated.")
]
Actions = Annotated[list[str] | None, typer.Option("--action", help="Of the one --tool: this action; may be repeated.")]
PinnedValues = Annotated[
    list[str] | None,
    typer.Option("--value", metavar="NAME=VALUE", help="A value that a parameter may have: JSON, else a text."),
]
Count = Annotated[int | None, typer.Option("--count", help="How many calls, those of sub-agents included.")]
Lasts = Annotated[str, typer.Option("--for", metavar="10m", help="How long it lasts; default: an hour.")]
Until = Annotated[str, typer.Option("--until", help="Or until when, such as 2026-11-29T13:00Z.")]
Depth = Annotated[int | None, typer.Option("--depth", help="How often it may be narrowed again, 0 to 4.")]
TaskFile = Annotated[Path | None, typer.Option("--file", help="The task as a YAML or JSON file instead.")]
Parent = Annotated[Path | None, typer.Option("--token", help="Narrow the token in this file further, not a new one.")]
BindTo = Annotated[Path | None, typer.Option("--bind-to", help="The public key of a sub-agent: it alone can call.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the token here, for its owner alone.")]


def narrow(
    state: OptionalState = None,
    agent: AgentName = "",
    key: KeyFile = None,
    control: ControlUrl = "",
    tool: Tools = None,
    action: Actions = None,
    value: PinnedValues = None,
    count: Count = None,
    lasts: Lasts = "",
    until: Until = "",
    depth: Depth = None,
    file: TaskFile = None,
    parent: Parent = None,
    bind_to: BindTo = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Get a token of the agent that is narrowed to one task: a call must satisfy policy and the task.

    It is bound to the agent's key, or to that of --bind-to; aegis agent run --token FILE calls with it and renews it.
    Exits with 2 when none is issued.

    Example: aegis token narrow --dir DIR --tool bank --action pay --value payee=ACME --count 1 --for 10m --out FILE
    """
    import asyncio

    from aegis_authz.commands.agents import key_thumbprint
    from aegis_authz.commands.narrowing import TaskOptions, narrow_token, read_token, task_of_options, write_token

    with exits_on_faults(COMMAND):
        now, end = _moments(lasts, until)
        request = task_of_options(TaskOptions(file, tool or (), action or (), value or (), count, end, depth), now)
        side = chosen_side(state, agent, key, control, "", "")
        own = read_token(parent) if parent is not None else ""
        bound_to = key_thumbprint(bind_to) if bind_to is not None else ""
        narrowed = asyncio.run(narrow_token(side, request, own, bound_to))
        if out is not None:
            write_token(out, narrowed.token.text)
    _show(narrowed, out, as_json)


def _moments(lasts: str, until: str) -> tuple[Epoch, float | None]:
    """Now, and the end that is asked for. Raises Unable."""
    import time

    from aegis_authz.commands.faults import unable_on
    from aegis_authz.core.units import Epoch
    from aegis_authz.encoding.moments import read_end

    now = time.time()
    with unable_on(ValueError):
        end = read_end(lasts, until, now)
    return Epoch(now), end


def _show(narrowed: Narrowed, out: Path | None, as_json: bool) -> None:
    if as_json:
        import json

        members = {"sub": narrowed.agent, "expires_in": narrowed.token.life}
        where = {"token": narrowed.token.text} if out is None else {"file": str(out)}
        typer.echo(json.dumps({**where, **members, "authorization_details": json.loads(narrowed.details)}, indent=2))
    elif out is None:
        typer.echo(narrowed.token.text)
    else:
        typer.echo(f"{narrowed.agent}: a narrower token is in {out}", err=True)
        typer.echo(f"next: aegis agent run --token {out} -- COMMAND", err=True)
