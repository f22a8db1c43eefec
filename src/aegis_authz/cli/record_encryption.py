"""`aegis audit encrypt` and `rekey`: sealed segments of records, encrypted at rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, OptionalState, records_folder
from aegis_authz.cli.retention import Folder

if TYPE_CHECKING:
    from aegis_authz.commands.record_encryption import Encrypted

Public = Annotated[Path | None, typer.Option("--key", help="The public keys; default: DIR/keys/records.pub.json.")]
Private = Annotated[
    Path | None, typer.Option("--signing-key", help="The private key of records; default: DIR/keys/records.pem.")
]


def encrypt(
    folder: Folder = None,
    state: OptionalState = None,
    key: Public = None,
    signing_key: Private = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt the sealed segments of every log, also while it is written to (AES-256-GCM, a key for each segment).

    The key they are under is the first of AEGIS_RECORDS_KEYS, or of `aegis audit --records-key`: file:PATH (made by
    `aegis keys encryption PATH`) or vault:MOUNT/NAME. With it all commands read them as before; without it `verify`
    proves order, number and hashes. A log that is not proven stays as it is. The open segment is not encrypted.
    Exits with 0, also when there is nothing to do, 1 when a log is not proven, 2 when something cannot be done.

    Example: AEGIS_RECORDS_KEYS=file:/etc/aegis/records.kek aegis audit encrypt --dir DIR
    """
    from aegis_authz.commands.record_encryption import encrypt_records

    home = state or DEFAULT_STATE
    signing = signing_key or home / "keys" / "records.pem"
    with exits_on_faults("audit"):
        done = _told(encrypt_records(records_folder(folder, state), home, key, signing), "encrypted under", as_json)
    _end(done, as_json, "encrypted", "no sealed segment that is not encrypted")


def rekey(
    folder: Folder = None,
    state: OptionalState = None,
    key: Public = None,
    signing_key: Private = None,
    as_json: AsJson = False,
) -> None:
    """Wrap the data keys of all encrypted segments by another key; what they encrypt stays byte for byte.

    The first of AEGIS_RECORDS_KEYS wraps, the others open what was wrapped before: name the next one first. Of a Vault,
    the newest version of the key wraps. What was shipped or copied before still needs the key of its day: destroy that
    when none of it is left.
    Exits with 0, also when there is nothing to do, 1 when a log is not proven, 2 when something cannot be done.

    Example: AEGIS_RECORDS_KEYS=file:next.kek,file:records.kek aegis audit rekey --dir DIR
    """
    from aegis_authz.commands.record_encryption import rewrap_records

    home = state or DEFAULT_STATE
    signing = signing_key or home / "keys" / "records.pem"
    with exits_on_faults("audit"):
        done = _told(rewrap_records(records_folder(folder, state), home, key, signing), "is under", as_json)
    _end(done, as_json, "rekeyed", "no encrypted segment that is under another key")


def _told(results: Iterator[Encrypted], words: str, as_json: bool) -> list[Encrypted]:
    done: list[Encrypted] = []
    for result in results:
        done.append(result)
        if not as_json and result.refusal:
            typer.echo(f"{result.writer}: nothing is done: {result.refusal}")
        elif not as_json:
            typer.echo(f"{result.writer}: segment {result.segment} {words} {result.key}")
    return done


def _end(done: list[Encrypted], as_json: bool, name: str, nothing: str) -> None:
    if as_json:
        typer.echo(json.dumps({name: [asdict(result) for result in done]}, indent=2))
    elif not done:
        typer.echo(nothing)
    if any(result.refusal for result in done):
        raise typer.Exit(REFUSED)
