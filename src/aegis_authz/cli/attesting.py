"""`aegis audit attest`: a decision as an in-toto attestation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, OptionalState, records_folder
from aegis_authz.cli.retention import Folder, PublicKeys, SigningKey


def attest(
    decision_id: Annotated[str, typer.Argument(help="The id of a decision, as in x-aegis-decision-id.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; default: standard output.")] = None,
    folder: Folder = None,
    state: OptionalState = None,
    key: PublicKeys = None,
    signing_key: SigningKey = None,
) -> None:
    """Attest a decision: an in-toto statement in a signed DSSE envelope, which other tools read.

    It says who acted for whom, on what, what was decided and why, who approved, and what became of it; no parameters.
    The log is verified first. Exits with 1 when it is not intact or has no such decision, 2 when one cannot be read.

    Example: aegis audit attest 0190a1b2-... --dir DIR --out decision.intoto.jsonl
    """
    from aegis_authz.commands.attesting import attest_decision

    home = state or DEFAULT_STATE
    with exits_on_faults("audit"):
        envelopes = attest_decision(records_folder(folder, state), home, decision_id, key, signing_key)
        if out is not None:
            out.write_bytes(envelopes)
    typer.echo(envelopes.decode("ascii") if out is None else str(out), nl=out is not None)
