"""`aegis token`: tokens for agents of a mesh on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, Agent, AsJson, MeshState, Org, Tenant
from aegis_authz.cli.token_narrow import narrow

app = typer.Typer(help="Mint tokens for agents of a mesh, and narrow them to a task.", no_args_is_help=True)
app.command()(narrow)


@app.callback()
def token() -> None:
    """Mint tokens for agents of a mesh, and narrow them to a task."""


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
    session: Annotated[
        str, typer.Option("--session", help="The session or task that the call belongs to; policies can ask for it.")
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
        minted = mint_agent_token(state, scope, Seconds(ttl), act or (), on_behalf_of, session)
    except Unable as fault:
        raise unusable("token mint", str(fault)) from None
    if as_json:
        import json

        typer.echo(json.dumps({"token": minted, "sub": str(scope), "ttl": ttl}))
    else:
        typer.echo(minted)


@app.command("revoke")
def revoke_(
    tenant: Annotated[str, typer.Argument(metavar="ORG/TENANT", help="The tenant of the token's agent.")],
    token_id: Annotated[str, typer.Argument(metavar="JTI", help="The token's id, as records and the journal have it.")],
    state: MeshState = DEFAULT_STATE,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the change log.")] = "",
) -> None:
    """Refuse every call with that token from the next one on.

    Example: aegis token revoke acme/emea 5f0c7a9e --dir DIR
    """
    from aegis_authz.cli.agents_text import revoked_text
    from aegis_authz.cli.faults import exits_on_faults
    from aegis_authz.commands.agents import revoke
    from aegis_authz.core.revocation import Revoked, RevokedKind

    try:
        org, name = tenant.split("/")
        target = Revoked(RevokedKind.TOKEN, org, name, token_id)
    except ValueError:
        raise unusable("token revoke", "give the tenant as org/tenant, and the token's id") from None
    with exits_on_faults("token revoke"):
        revoked = revoke(state, target, note)
    typer.echo(revoked_text(revoked))
