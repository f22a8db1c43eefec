"""`aegis keys`: replace a signing key while it is in use."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

app = typer.Typer(help="Replace the keys that a mesh signs with.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Replace the keys that a mesh signs with."""


@app.command("rotate")
def rotate_(
    name: Annotated[Literal["issuer", "approvals", "bundle", "records"], typer.Argument(help="What the key signs.")],
    state: MeshState = DEFAULT_STATE,
    wait: Annotated[float, typer.Option("--wait", min=0, max=30, help="Seconds to wait until every OPA has it.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Publish the next key, sign with it once every OPA trusts it, and let the one before verify what it signed.

    Exits with 1 when not every OPA has it in time: nothing signs with it then, and asking again goes on from there.

    Example: aegis keys rotate issuer --dir DIR
    """
    from aegis_authz.commands.keys import rotate

    with exits_on_faults("keys rotate"):
        rotated = rotate(state, name, wait)
    if as_json:
        typer.echo(rotated.model_dump_json(indent=2))
        return
    if rotated.former_ends is None:
        typer.echo(f"the {name} key is {rotated.kid} now; the one before still proves what it sealed")
        return
    ends = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(rotated.former_ends))
    typer.echo(f"the {name} key is {rotated.kid} now; the one before verifies until {ends}")


@app.command("encryption")
def encryption(
    path: Annotated[Path, typer.Argument(help="The file to make; none may be there.")], as_json: AsJson = False
) -> None:
    """Make a key that records are encrypted under, in a file that its owner alone can read.

    Keep a copy where the records are not: without it what they say is lost. Exits with 2 when the file cannot be made.

    Example: aegis keys encryption /etc/aegis/records.kek
    """
    from aegis_authz.commands.record_encryption import make_encryption_key

    with exits_on_faults("keys encryption"):
        name = make_encryption_key(path)
    typer.echo(json.dumps({"file": str(path), "key": name}, indent=2) if as_json else f"{path} holds the key {name}")


@app.command("auditor")
def auditor(
    path: Annotated[Path, typer.Argument(help="The file to make; none may be there.")], as_json: AsJson = False
) -> None:
    """Make the key of an auditor, in a file that its owner alone can read, and print the public half for policies.

    With it, and nothing else, what `record: {parameters: sealed}` keeps is opened: `aegis audit show --open PATH`.
    Exits with 2 when the file cannot be made.

    Example: aegis keys auditor auditor.pem
    """
    from aegis_authz.commands.sealed_records import make_auditor_key

    with exits_on_faults("keys auditor"):
        key = make_auditor_key(path)
    if as_json:
        typer.echo(json.dumps({"file": str(path), "auditor": key.public, "key_id": key.name}, indent=2))
        return
    typer.echo(f"{path} opens what policies seal with: record: {{parameters: sealed, auditor: {key.public}}}")
