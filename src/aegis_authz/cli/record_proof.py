"""`aegis audit prove`: a record by itself, for whoever may not see the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, OptionalState, records_folder
from aegis_authz.cli.retention import Folder, PublicKeys, SigningKey


def prove(
    decision_id: Annotated[str, typer.Argument(help="The id of a decision, or of an approval.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write the proofs into.")],
    folder: Folder = None,
    state: OptionalState = None,
    since: Annotated[
        Path | None,
        typer.Option("--since", help="A signed head (.note) of before: prove that its log has only grown since."),
    ] = None,
    key: PublicKeys = None,
    signing_key: SigningKey = None,
) -> None:
    """Prove single records to whoever has the public key and not the log: one file each (C2SP tlog-proof).

    The log is verified first. Exits with 1 when it is not intact or has no such record, 2 when one cannot be read.

    Example: aegis audit prove 0190a1b2-... --dir DIR --out proofs
    """
    from aegis_authz.commands.record_proof import prove_records

    home = state or DEFAULT_STATE
    with exits_on_faults("audit"):
        files = prove_records(records_folder(folder, state), home, decision_id, key, signing_key, since)
        out.mkdir(parents=True, exist_ok=True)
        for name, content in sorted(files.items()):
            (out / name).write_bytes(content)
            typer.echo(str(out / name))
