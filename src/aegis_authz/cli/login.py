"""`aegis login`, `logout` and `whoami`: as whom commands ask a control plane."""

from __future__ import annotations

import sys
import webbrowser
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState


def login(
    person_id: Annotated[str, typer.Argument(metavar="PERSON", help="As whom; not with --browser.")] = "",
    state: MeshState = DEFAULT_STATE,
    url: Annotated[str, typer.Option("--url", help="The control plane.", show_default="that of the mesh")] = "",
    code: Annotated[bool, typer.Option("--code", help="Ask for a code, and set a new password with it.")] = False,
    first: Annotated[
        bool, typer.Option("--first", help="Become the first owner, by the code of the first start.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="Sign in on a page, at your identity provider or as you are there.")
    ] = False,
    days: Annotated[float, typer.Option("--days", min=0.01, max=400, help="How long it is good.")] = 30,
) -> None:
    """Sign in at a control plane: commands act as that person from then on.

    With --browser a page asks, however people sign in there. Else it asks for the password, or reads it from a pipe
    (with --code, the code on the line before). What is kept is an API key, in a file that you alone can read.

    Example: aegis login ann --dir DIR
    """
    from aegis_authz.commands import login as commands
    from aegis_authz.commands.browser_login import browser_login
    from aegis_authz.commands.control import control_url

    if browser == bool(person_id) or (browser and (code or first)):
        raise typer.BadParameter("give a PERSON, or --browser alone")
    with exits_on_faults("login"):
        place = control_url(state, url)
        if browser:
            kept = browser_login(place, days, _show)
            typer.echo(f"signed in as {kept.person} at {place}")
            return
        secret = commands.first_owner_code(state) if first else _secret("Code") if code else ""
        password = _secret("New password" if secret else "Password")
        kept = commands.login(place, person_id, password, secret, days)
    typer.echo(f"signed in as {kept.person} at {place}")


def logout(state: MeshState = DEFAULT_STATE) -> None:
    """End the login at the control plane of a mesh; commands act by the admin token again, where there is one.

    Example: aegis logout --dir DIR
    """
    from aegis_authz.commands import login as commands

    with exits_on_faults("logout"):
        commands.logout(state)
    typer.echo("signed out")


def whoami(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Say as whom commands act at the control plane of a mesh.

    Example: aegis whoami --dir DIR
    """
    from aegis_authz.commands import login as commands

    with exits_on_faults("whoami"):
        person = commands.whoami(state)
    roles = ", ".join(person.roles) or "no role"
    typer.echo(person.model_dump_json(indent=2) if as_json else f"{person.id} ({person.name}): {roles}")


def _show(url: str) -> None:
    typer.echo(f"Open this page, and let the command in there:\n{url}", err=True)
    if sys.stdin.isatty():
        webbrowser.open(url)


def _secret(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True))
    return sys.stdin.readline().rstrip("\n")
