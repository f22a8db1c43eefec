"""`aegis ca`: the certificate authority by which a mesh opens HTTPS."""

from __future__ import annotations

import json
import time
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import UNABLE
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState, OptionalState

app = typer.Typer(help="The certificate authority by which a mesh opens HTTPS.", no_args_is_help=True)


@app.command()
def show(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Say which authority signs, which are trusted, and where clients find them.

    Example: aegis ca show --dir DIR
    """
    from dataclasses import asdict

    from aegis_authz.commands.authority import ShownAuthority, shown_authorities

    def line(label: str, authority: ShownAuthority) -> str:
        ends = time.strftime("%Y-%m-%d", time.gmtime(authority.ends))
        held = f", for {', '.join(authority.names)}" if authority.names else ""
        return f"{label:<9} {authority.fingerprint} until {ends}{held}"

    with exits_on_faults("ca show"):
        authorities = shown_authorities(state)
    if as_json:
        typer.echo(json.dumps(asdict(authorities), indent=2))
        return
    typer.echo(line("signs", authorities.signing))
    if authorities.upcoming is not None:
        typer.echo(line("next", authorities.upcoming))
    if authorities.trusts_former:
        typer.echo("former    is trusted until: aegis ca rotate --finish")
    typer.echo(f"trust     {authorities.trusted}")
    typer.echo(f"bundle    {authorities.bundle} (with the public authorities)")


@app.command()
def export(
    state: MeshState = DEFAULT_STATE,
    bundle: Annotated[bool, typer.Option("--bundle", help="With the public authorities.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A file; default: print.", dir_okay=False)] = None,
) -> None:
    """Give out the certificates that clients of the mesh have to trust. No key is among them.

    Example: aegis ca export --dir DIR --out mesh-ca.pem
    """
    from aegis_authz.commands.authority import exported

    with exits_on_faults("ca export"):
        text = exported(state, bundle)
        if out is not None:
            out.write_text(text, "utf-8")
            return
    typer.echo(text, nl=False)


@app.command()
def env(
    state: OptionalState = None,
    agent: Annotated[
        str, typer.Option("--agent", metavar="ORG/TENANT/AGENT", help="An agent that was enrolled on this machine.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print what makes clients of this shell trust the mesh, for `eval`.

    Most clients trust what is named in place of the public authorities, so the file that is named holds both. Where an
    agent of a mesh on another machine was enrolled, it is that agent's copy.

    Example: eval "$(aegis ca env --dir DIR)"
    """
    from aegis_authz.commands.authority import client_variables

    with exits_on_faults("ca env"):
        variables = client_variables(state, agent)
    if as_json:
        typer.echo(json.dumps(variables, indent=2))
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={quote(value)}")


@app.command()
def rotate(
    state: MeshState = DEFAULT_STATE,
    sign: Annotated[bool, typer.Option("--sign", help="Let the next authority sign; both stay trusted.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Trust the former authority no more.")] = False,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="Hold the next one to this domain and what is below; may be repeated."),
    ] = None,
) -> None:
    """Replace the authority in three steps, so that no client meets a certificate that it does not trust.

    Without an option the next authority is made and trusted: give clients the new bundle then. Exits with 1 for a step
    that is not the next.

    Example: aegis ca rotate --dir DIR
    """
    from aegis_authz.commands.authority import begin_rotation, finish_rotation, sign_with_next

    if (sign and finish) or (names and (sign or finish)):
        typer.echo("aegis ca rotate: one step at a time, and --name with the first", err=True)
        raise typer.Exit(UNABLE)
    with exits_on_faults("ca rotate"):
        if sign:
            authority, note = sign_with_next(state), "signs now; the former one is trusted until --finish"
        elif finish:
            authority, note = finish_rotation(state), "alone is trusted now"
        else:
            authority, note = begin_rotation(state, tuple(names or ())), "is trusted now, and signs after --sign"
    typer.echo(f"{authority.fingerprint} {note}")
