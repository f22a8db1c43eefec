"""`aegis audit cosign`: witnesses that have seen how each log grew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, OptionalState, records_folder
from aegis_authz.cli.retention import Folder, PublicKeys, SigningKey
from aegis_authz.cli.rounds import Every, Rounds

if TYPE_CHECKING:
    from aegis_authz.evidence.cosigning import Cosigning


def cosign(
    folder: Folder = None,
    state: OptionalState = None,
    config: Annotated[Path | None, typer.Option("--config", help="The witnesses; default: DIR/witnesses.yaml.")] = None,
    key: PublicKeys = None,
    signing_key: SigningKey = None,
    show_keys: Annotated[
        bool, typer.Option("--log-keys", help="Only print the logs' keys, for whoever runs the witnesses.")
    ] = False,
    every: Every = 0,
    as_json: AsJson = False,
) -> None:
    """Have witnesses cosign the head of the tree over each log, and keep it beside the log (C2SP tlog-witness).

    Each log is verified first. `aegis audit verify --witness KEY` then holds it against what they saw.
    Exits with 0, 1 when a log is not proven or fewer witnesses than the quorum cosigned it, 2 when something cannot be
    read.

    Example: aegis audit cosign --dir DIR --every 3600
    """
    from aegis_authz.commands.cosigning import cosign_records, log_keys

    home = state or DEFAULT_STATE
    records = records_folder(folder, state)
    if show_keys:
        with exits_on_faults("audit"):
            typer.echo("\n".join(log_keys(records, home, signing_key)))
        return

    def one_round() -> Iterator[Cosigning]:
        return cosign_records(records, home, key, signing_key, config or home / "witnesses.yaml")

    rounds = Rounds(one_round, lambda result: "\n".join(_lines(result)), lambda logs: {"logs": logs})
    results = rounds.run(every, as_json=as_json)
    if not all(result.is_kept for result in results):
        raise typer.Exit(REFUSED)


def _lines(result: Cosigning) -> Iterator[str]:
    if result.why:
        yield f"{result.writer}: NOT COSIGNED: {result.why}"
        return
    signed = [answer for answer in result.answers if answer.at]
    state = f"{len(signed)} of {len(result.answers)} witnesses cosigned its {result.size} records"
    yield f"{result.writer}: {state}" if result.is_kept else f"{result.writer}: NOT COSIGNED: {state}"
    for answer in result.answers:
        if answer.at:
            yield f"  {answer.name}: at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(answer.at))}"
        if answer.why:
            yield f"  {answer.name}: {answer.why}"
