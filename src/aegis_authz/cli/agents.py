"""`aegis agents`: stop an agent at once, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, As, AsJson, MeshState

if TYPE_CHECKING:
    from aegis_authz.core.scope import Scope

app = typer.Typer(help="Revoke agents: refuse all their calls at once, whatever policy says.", no_args_is_help=True)

AgentScope = Annotated[str, typer.Argument(metavar="ORG/TENANT/AGENT", help="The agent.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]


@app.command("list")
def list_(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List the revoked agents, newest first.

    Example: aegis agents list --dir DIR
    """
    from aegis_authz.cli.agents_text import show_revoked
    from aegis_authz.commands.agents import list_revoked

    with exits_on_faults("agents list"):
        revoked = list_revoked(state)
    if as_json:
        typer.echo(revoked.model_dump_json(indent=2))
    else:
        show_revoked(revoked.revocations)


@app.command("revoke")
def revoke_(
    agent: AgentScope, state: MeshState = DEFAULT_STATE, by: As = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Refuse every call of the agent from the next one on, with REVOKED. Its tokens and policies stay as they are.

    Exits with 0 also when it was revoked before, 1 when the control plane refuses, 2 when it cannot be asked.

    Example: aegis agents revoke acme/emea/finance-agent --dir DIR --note "acts oddly since 14:00"
    """
    from aegis_authz.cli.agents_text import revoked_text
    from aegis_authz.commands.agents import revoke
    from aegis_authz.commands.control import operator_name

    scope = _scope("agents revoke", agent)
    with exits_on_faults("agents revoke"):
        revoked = revoke(state, scope, by or operator_name(), note)
    typer.echo(revoked.model_dump_json(indent=2) if as_json else revoked_text(revoked))


@app.command("restore")
def restore_(
    agent: AgentScope, state: MeshState = DEFAULT_STATE, by: As = None, note: Note = "", as_json: AsJson = False
) -> None:
    """Let policy judge a revoked agent again. Exits with 1 when it is not revoked.

    Example: aegis agents restore acme/emea/finance-agent --dir DIR
    """
    from aegis_authz.cli.agents_text import restored_text
    from aegis_authz.commands.agents import restore
    from aegis_authz.commands.control import operator_name

    scope = _scope("agents restore", agent)
    with exits_on_faults("agents restore"):
        restored = restore(state, scope, by or operator_name(), note)
    typer.echo(restored.model_dump_json(indent=2) if as_json else restored_text(restored))


def _scope(command: str, text: str) -> Scope:
    from aegis_authz.core.scope import Scope

    try:
        return Scope.parse(text)
    except ValueError as fault:
        raise unusable(command, f"the agent {fault}") from None
