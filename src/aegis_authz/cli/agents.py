"""`aegis agents`: register agents, invite them, stop one at once, and let it go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

if TYPE_CHECKING:
    from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer
    from aegis_authz.core.revocation import Revoked
    from aegis_authz.core.scope import Scope

app = typer.Typer(
    help="Register agents and their keys; revoke one, so that all its calls are refused at once.", no_args_is_help=True
)

ChangeAnswer = TypeVar("ChangeAnswer", bound="RestoredAnswer | RevocationAnswer")

AgentScope = Annotated[str, typer.Argument(metavar="ORG/TENANT/AGENT", help="The agent.")]
Target = Annotated[str, typer.Argument(metavar="ORG/TENANT[/AGENT]", help="The agent, or the whole tenant.")]
Key = Annotated[str, typer.Option("--key", help="The thumbprint of a key of that tenant.")]
LOOPBACK = ["127.0.0.0/8", "::1/128"]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]


@app.command("list")
def list_(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List the revoked agents, newest first, the quarantined, and those registered with a key or a way of their own.

    Example: aegis agents list --dir DIR
    """
    from aegis_authz.cli.agents_text import show_quarantined, show_registered, show_revoked
    from aegis_authz.commands.agents import list_registered, list_revoked
    from aegis_authz.commands.limits import list_quarantined

    with exits_on_faults("agents list"):
        revoked, registered, quarantined = list_revoked(state), list_registered(state), list_quarantined(state)
    if as_json:
        import json

        answers = [answer.model_dump(mode="json") for answer in (revoked, quarantined, registered)]
        typer.echo(json.dumps({name: part for answer in answers for name, part in answer.items()}, indent=2))
    else:
        show_revoked(revoked.revocations)
        show_quarantined(quarantined.quarantines)
        show_registered(registered.agents)


@app.command("add")
def add_(
    agent: AgentScope,
    key: Annotated[Path, typer.Option("--key", help="The agent's public Ed25519 key: a PEM file, or a JWK.")],
    owner: Annotated[str, typer.Option("--owner", help="Who answers for the agent.")] = "",
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
) -> None:
    """Write a document that registers the agent with its key. It counts once it is published.

    Exits with 1 when the document is there already, or would not fit the others; nothing is written then.

    Example: aegis agents add acme/emea/finance-agent --key agent.pub.pem --owner finance-platform --dir DIR
    """
    import shlex

    from aegis_authz.commands.agents import add_agent

    scope = _scope("agents add", agent)
    with exits_on_faults("agents add"):
        folders = document_folders("agents add", policies, tools, state)
        path = add_agent(*folders, scope, key, owner)
    typer.echo(f"wrote {path}")
    note = shlex.quote(f"register {scope}")
    words = " ".join(shlex.quote(str(folder)) for folder in (state or DEFAULT_STATE,))
    typer.echo(f"next: aegis policy publish --dir {words} -m {note}")


@app.command("key")
def key_(
    agent: AgentScope,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="A network it may come from (CIDR); default: this machine.")
    ] = None,
    until: Annotated[str, typer.Option("--until", metavar="DAY", help="The last day it counts, in UTC.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the key to this new file (0600) in place of printing it.")
    ] = None,
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
) -> None:
    """Make a static secret for a client that can show nothing better, and register it. It counts once it is published.

    The weaker proof: whoever copies it is the agent, from those networks. The key is printed once, alone on standard
    output, and kept nowhere; the document holds its hash. Two keys may count at once, while one takes the place of the
    other; exits with 1 for a third.

    Example: aegis agents key acme/emea/legacy-agent --range 10.1.0.0/16 --until 2027-03-31 --dir DIR
    """
    import shlex

    from aegis_authz.commands.agent_keys import make_agent_key

    scope = _scope("agents key", agent)
    with exits_on_faults("agents key"):
        folders = document_folders("agents key", policies, tools, state)
        made = make_agent_key(*folders, scope, ranges or LOOPBACK, until, out)
    typer.echo(made.key if out is None else f"wrote {out}")
    typer.echo(f"registered in {made.document}; {made.counting} of at most 2 count", err=True)
    note = shlex.quote(f"a key for {scope}")
    typer.echo(f"next: aegis policy publish --dir {shlex.quote(str(state or DEFAULT_STATE))} -m {note}", err=True)


@app.command("invite")
def invite_(
    agent: AgentScope,
    state: MeshState = DEFAULT_STATE,
    ttl: Annotated[float, typer.Option("--ttl", min=60, max=86_400, help="Seconds the code is good.")] = 3600,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Print a code by which the agent brings its own key, once. It is shown here and kept nowhere.

    Example: aegis agents invite acme/emea/finance-agent --dir DIR
    """
    from aegis_authz.cli.agents_text import invitation_text
    from aegis_authz.commands.agents import invite

    scope = _scope("agents invite", agent)
    with exits_on_faults("agents invite"):
        invitation = invite(state, scope, note, ttl)
    typer.echo(invitation.model_dump_json(indent=2) if as_json else invitation_text(invitation))


@app.command("revoke")
def revoke_(
    agent: Target,
    state: MeshState = DEFAULT_STATE,
    key: Key = "",
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Refuse every call of the agent, or of the tenant, from the next one on, with REVOKED; nor does it get tokens.

    With --key, only what is bound to that key. Its policies stay as they are.
    Exits with 0 also when it was revoked before, 1 when the control plane refuses, 2 when it cannot be asked.

    Example: aegis agents revoke acme/emea/finance-agent --dir DIR --note "acts oddly since 14:00"
    """
    from aegis_authz.cli.agents_text import revoked_text
    from aegis_authz.commands.agents import revoke

    target = _target("agents revoke", agent, key)
    _change("agents revoke", as_json, lambda: revoke(state, target, note), revoked_text)


@app.command("restore")
def restore_(
    agent: Target,
    state: MeshState = DEFAULT_STATE,
    key: Key = "",
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Let policy judge a revoked agent, tenant or key again. Exits with 1 when it is not revoked.

    Example: aegis agents restore acme/emea/finance-agent --dir DIR
    """
    from aegis_authz.cli.agents_text import restored_text
    from aegis_authz.commands.agents import restore

    target = _target("agents restore", agent, key)
    words = restored_text(str(target))
    _change("agents restore", as_json, lambda: restore(state, target, note), lambda _: words)


@app.command("kill")
def kill_(agent: Target, state: MeshState = DEFAULT_STATE, note: Note = "", as_json: AsJson = False) -> None:
    """Stop an agent or a whole tenant for good: `revoke` by another name. `restore` takes it back.

    Example: aegis agents kill acme/emea/finance-agent --dir DIR --note "acts oddly since 14:00"
    """
    revoke_(agent, state, "", note, as_json)


@app.command("quarantine")
def quarantine_(
    agent: AgentScope,
    state: MeshState = DEFAULT_STATE,
    seconds: Annotated[
        float, typer.Option("--for", min=1, max=400 * 86_400, metavar="SECONDS", help="How long.")
    ] = 900,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Refuse every call of an agent for a while, as a breaker of its policies does.

    Example: aegis agents quarantine acme/emea/finance-agent --for 3600 --dir DIR --note "loops since 14:00"
    """
    from aegis_authz.cli.agents_text import quarantined_text
    from aegis_authz.commands.limits import quarantine

    scope = _scope("agents quarantine", agent)
    with exits_on_faults("agents quarantine"):
        answer = quarantine(state, scope, seconds, note)
    typer.echo(answer.model_dump_json(indent=2) if as_json else quarantined_text(answer))


@app.command("release")
def release_(agent: AgentScope, state: MeshState = DEFAULT_STATE, note: Note = "", as_json: AsJson = False) -> None:
    """Let policy judge a quarantined agent again. Exits with 1 when it is not quarantined.

    Example: aegis agents release acme/emea/finance-agent --dir DIR
    """
    from aegis_authz.cli.agents_text import restored_text
    from aegis_authz.commands.limits import release

    scope = _scope("agents release", agent)
    with exits_on_faults("agents release"):
        answer = release(state, scope, note)
    typer.echo(answer.model_dump_json(indent=2) if as_json else restored_text(str(scope)))


def _change(
    command: str, as_json: bool, change: Callable[[], ChangeAnswer], sentence: Callable[[ChangeAnswer], str]
) -> None:
    """Have a revocation made or taken back, and say what was done."""
    with exits_on_faults(command):
        answer = change()
    typer.echo(answer.model_dump_json(indent=2) if as_json else sentence(answer))


def _target(command: str, text: str, key: str) -> Revoked:
    from aegis_authz.core.revocation import Revoked, RevokedKind

    org, _, tenant = text.partition("/")
    form = "org/tenant, whose key it is" if key else "org/tenant/agent, or org/tenant for all its agents"
    try:
        if not key:
            return Revoked.parse(text)
        if "/" in tenant:
            raise ValueError("more than a tenant")  # said once, below
        return Revoked(RevokedKind.KEY, org, tenant, key)
    except ValueError:
        raise unusable(command, f"the target must be {form}") from None


def _scope(command: str, text: str) -> Scope:
    from aegis_authz.core.scope import Scope

    try:
        return Scope.parse(text)
    except ValueError as fault:
        raise unusable(command, f"the agent {fault}") from None
