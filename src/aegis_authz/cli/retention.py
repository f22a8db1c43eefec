"""`aegis audit compress` and `retain`: what becomes of the sealed segments of records."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, OptionalState, records_folder

Folder = Annotated[
    Path | None, typer.Argument(help="A folder of record logs, or one log; default: DIR/records.", show_default=False)
]


def compress(folder: Folder = None, state: OptionalState = None, as_json: AsJson = False) -> None:
    """Compress the sealed segments of every log, also while it is written to (gzip, each verified before it counts).

    All commands read them as before, and their seals prove what they expand to.
    Exits with 0, also when there is nothing to do, 2 when something cannot be read or written.

    Example: aegis audit compress --dir DIR
    """
    from aegis_authz.commands.retention import compress_records

    done = []
    with exits_on_faults("audit"):
        for compression in compress_records(records_folder(folder, state)):
            done.append(asdict(compression))
            if not as_json:
                typer.echo(
                    f"{compression.writer}: segment {compression.segment} compressed, "
                    f"{compression.before} bytes to {compression.after}"
                )
    if as_json:
        typer.echo(json.dumps({"compressed": done}, indent=2))
    elif not done:
        typer.echo("no sealed segment that is not compressed")
