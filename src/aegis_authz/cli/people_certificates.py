"""`aegis people certificate`: by which client certificates people are told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

app = typer.Typer(help="Say by which client certificates a person is told.", no_args_is_help=True)

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="Who that is.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]
File = Annotated[Path | None, typer.Option("--file", help="This certificate, in PEM, and no other.")]
Fingerprint = Annotated[str, typer.Option("--fingerprint", help="The certificate of this SHA-256 in hex.")]
Uri = Annotated[str, typer.Option("--uri", help="Each with this URI among its names, such as spiffe://acme/ann.")]
Email = Annotated[str, typer.Option("--email", help="Each with this e-mail address among its names.")]
Subject = Annotated[str, typer.Option("--subject", help="Each of this subject, such as CN=ann,O=Acme.")]


@app.command("add")
def add_(
    person_id: PersonId,
    state: MeshState = DEFAULT_STATE,
    file: File = None,
    fingerprint: Fingerprint = "",
    uri: Uri = "",
    email: Email = "",
    subject: Subject = "",
    note: Note = "",
) -> None:
    """Tell a person by client certificates of one name, which the authorities of `tls.client_ca` vouch for.

    Example: aegis people certificate add ann --file ann.pem --dir DIR
    """
    from aegis_authz.commands.people_certificates import add_certificate

    with exits_on_faults("people certificate add"):
        kind, value = _name(file, fingerprint, uri, email, subject)
        add_certificate(state, person_id, kind, value, note)
    typer.echo(f"{person_id} is told by {kind} {value}")


@app.command("remove")
def remove_(
    person_id: PersonId,
    state: MeshState = DEFAULT_STATE,
    file: File = None,
    fingerprint: Fingerprint = "",
    uri: Uri = "",
    email: Email = "",
    subject: Subject = "",
    note: Note = "",
) -> None:
    """Tell the person by them no more, from the next request on.

    Example: aegis people certificate remove ann --file ann.pem --dir DIR --note "laptop lost"
    """
    from aegis_authz.commands.people_certificates import remove_certificate

    with exits_on_faults("people certificate remove"):
        kind, value = _name(file, fingerprint, uri, email, subject)
        remove_certificate(state, person_id, kind, value, note)
    typer.echo(f"{person_id} is no more told by {kind} {value}")


@app.command("list")
def list_(person_id: PersonId, state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List by which client certificates a person is told.

    Example: aegis people certificate list ann --dir DIR
    """
    from aegis_authz.commands.people_certificates import certificates_of

    with exits_on_faults("people certificate list"):
        names = certificates_of(state, person_id)
    for name in names:
        typer.echo(name.model_dump_json() if as_json else f"{name.kind} {name.value}")


def _name(file: Path | None, fingerprint: str, uri: str, email: str, subject: str) -> tuple[str, str]:
    """The one name that the options give."""
    from aegis_authz.commands.people_certificates import fingerprint_of

    options = {"fingerprint": fingerprint.lower().replace(":", ""), "uri": uri, "email": email, "subject": subject}
    names = [(kind, value) for kind, value in options.items() if value]
    if file is not None:
        names.append(("fingerprint", fingerprint_of(file)))
    if len(names) != 1:
        raise typer.BadParameter("give one of --file, --fingerprint, --uri, --email, --subject")
    return names[0]
