"""`aegis people`: who administers and approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState
from aegis_authz.cli.people_certificates import app as certificates

if TYPE_CHECKING:
    from aegis_authz.api.people import CodeAnswer, PersonAnswer

app = typer.Typer(help="Add people, and say what each may do.", no_args_is_help=True)
app.add_typer(certificates, name="certificate")

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="What the person signs in as.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="viewer, approver, policy_admin, auditor or owner, with @ORG or @ORG/TENANT."),
]


@app.command("add")
def add_(
    person_id: PersonId,
    state: MeshState = DEFAULT_STATE,
    name: Annotated[str, typer.Option("--name", help="How they are called.", show_default="the same")] = "",
    role: Roles = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="A group of approvers.")] = None,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Add a person, and print a code by which that person sets a password, once.

    Example: aegis people add ann --role approver@acme/emea --group finance --dir DIR
    """
    from aegis_authz.commands.people import add_person

    with exits_on_faults("people add"):
        code = add_person(state, person_id, name or person_id, role or (), group or (), note)
    _print_code(code, as_json)


@app.command("list")
def list_(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List the people that you may see.

    Example: aegis people list --dir DIR
    """
    from aegis_authz.commands.people import people_of

    with exits_on_faults("people list"):
        people = people_of(state)
    for person in people:
        typer.echo(person.model_dump_json() if as_json else _line(person))


@app.command("show")
def show_(person_id: PersonId, state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show one of them.

    Example: aegis people show ann --dir DIR
    """
    from aegis_authz.commands.people import person_of

    with exits_on_faults("people show"):
        person = person_of(state, person_id)
    typer.echo(person.model_dump_json(indent=2) if as_json else _line(person))


@app.command("role")
def role_(
    person_id: PersonId,
    add: Annotated[list[str] | None, typer.Option("--add", help="A role to give, such as viewer@acme.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A role to take.")] = None,
    state: MeshState = DEFAULT_STATE,
    note: Note = "",
) -> None:
    """Give and take roles; they hold from the next request on.

    Example: aegis people role ann --add approver@acme --remove approver@acme/emea --dir DIR
    """
    from aegis_authz.commands.people import change_roles

    with exits_on_faults("people role"):
        person = change_roles(state, person_id, add or (), remove or (), note)
    typer.echo(_line(person))


@app.command("disable")
def disable_(
    person_id: PersonId,
    state: MeshState = DEFAULT_STATE,
    undo: Annotated[bool, typer.Option("--undo", help="Let the person in again.")] = False,
    note: Note = "",
) -> None:
    """Let a person in no more: sessions end, and API keys with them.

    Example: aegis people disable ann --dir DIR --note "left the company"
    """
    from aegis_authz.commands.people import disable_person

    with exits_on_faults("people disable"):
        person = disable_person(state, person_id, disabled=not undo, note=note)
    typer.echo(_line(person))


@app.command("code")
def code_(person_id: PersonId, state: MeshState = DEFAULT_STATE, note: Note = "", as_json: AsJson = False) -> None:
    """Print another code by which a person sets a password; those before are worth nothing any more.

    Example: aegis people code ann --dir DIR --note "forgot it"
    """
    from aegis_authz.commands.people import new_code

    with exits_on_faults("people code"):
        code = new_code(state, person_id, note)
    _print_code(code, as_json)


@app.command("sign-in-link")
def sign_in_link_(person_id: PersonId, state: MeshState = DEFAULT_STATE, note: Note = "") -> None:
    """Print a link by which a person signs in on the control plane's pages, once, within ten minutes.

    Whoever opens it is that person: send it to nobody else.

    Example: aegis people sign-in-link ann --dir DIR --note "no password yet"
    """
    from aegis_authz.commands.people import sign_in_link

    with exits_on_faults("people sign-in-link"):
        url = sign_in_link(state, person_id, note)
    typer.echo(f"{person_id} signs in by this link, once, within ten minutes:", err=True)
    typer.echo(url)


@app.command("confirm")
def confirm_(person_id: PersonId, state: MeshState = DEFAULT_STATE, note: Note = "") -> None:
    """Say that a person whom the owner of a part let in is somebody of their own, and may be a second approver.

    What that owner may know of theirs ends: password, codes, sessions and API keys. An owner of the whole mesh gives
    them another code (`aegis people code`).

    Example: aegis people confirm bob --dir DIR --note "called back at the office"
    """
    from aegis_authz.commands.people import confirm_person

    with exits_on_faults("people confirm"):
        confirm_person(state, person_id, note)
    typer.echo(f"{person_id} is confirmed")
    typer.echo(
        f"a password that whoever let them in may know is void; aegis people code {person_id}: another", err=True
    )


@app.command("link")
def link_(
    person_id: PersonId,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="slack, email and the like.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help='Their id there; "" for none.')],
    state: MeshState = DEFAULT_STATE,
    note: Note = "",
) -> None:
    """Say where a person is in a channel: who decides there is that person.

    Example: aegis people link ann slack U024BE7LH --dir DIR
    """
    from aegis_authz.commands.people import link_person

    with exits_on_faults("people link"):
        link_person(state, person_id, channel, address, note)
    typer.echo(f"{person_id} is {address} in {channel}" if address else f"{person_id} is nobody in {channel}")


def _line(person: PersonAnswer) -> str:
    groups = f"  groups: {', '.join(person.groups)}" if person.groups else ""
    disabled = "  disabled" if person.disabled else ""
    sponsors = f"  in the hand of: {', '.join(person.sponsors)}" if person.sponsors else ""
    return f"{person.id}  {person.name}  roles: {', '.join(person.roles) or 'none'}{groups}{sponsors}{disabled}"


def _print_code(code: CodeAnswer, as_json: bool) -> None:
    if as_json:
        typer.echo(code.model_dump_json(indent=2))
        return
    typer.echo(f"{code.person} sets a password with this code, once, within a day: aegis login {code.person} --code")
    typer.echo(code.code)
