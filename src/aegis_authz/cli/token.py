"""`aegis token`: tokens for agents of a mesh on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, Agent, AsJson, MeshState, Org, Tenant

app = typer.Typer(help="Mint tokens for agents of a mesh on this machine.", no_args_is_help=True)


@app.callback()
def token() -> None:
    """Mint tokens for agents of a mesh on this machine."""


@app.command()
def mint(
    org: Org,
    tenant: Tenant,
    agent: Agent,
    state: MeshState = DEFAULT_STATE,
    ttl: Annotated[float, typer.Option("--ttl", help="Seconds the token lives, 1 to 300.")] = 60,
    act: Annotated[
        list[str] | None,
        typer.Option("--act", help="Who the agent acts through, nearest first; may be given up to five times."),
    ] = None,
    on_behalf_of: Annotated[
        str, typer.Option("--on-behalf-of", help="The person or system the agent serves; policies can ask for it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print a token that is good for one call.

    Example:

        TOKEN=$(aegis token mint --dir DIR --org acme --tenant emea --agent finance-agent)

        curl -x "$PROXY" -H "x-aegis-token: $TOKEN" -d '{"amount":4200}' http://api.stripe.example/v1/payments
    """
    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.tokens import mint_agent_token
    from aegis_authz.core.scope import Scope
    from aegis_authz.core.units import Seconds

    scope = Scope(org, tenant, agent)
    try:
        minted = mint_agent_token(state, scope, Seconds(ttl), act or (), on_behalf_of)
    except Unable as fault:
        raise unusable("token mint", str(fault)) from None
    if as_json:
        import json

        typer.echo(json.dumps({"token": minted, "sub": str(scope), "ttl": ttl}))
    else:
        typer.echo(minted)
