"""`aegis audit`: prove the records, keep checkpoints of them, and read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, OptionalState

if TYPE_CHECKING:
    from aegis_authz.core.effect import Effect

app = typer.Typer(help="Prove and read the decision records.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(help="A folder of record logs, or one log; default: DIR/records.", show_default=False)
]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="The public key: JWK, JWK set or PEM; default: DIR/keys/records.pub.json."),
]


@app.command()
def verify(
    folder: Folder = None,
    state: OptionalState = None,
    key: Key = None,
    expect: Annotated[
        Path | None, typer.Option("--expect", help="Checkpoints kept elsewhere (`aegis audit checkpoint`).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove offline that no record was altered, removed, moved, added or rolled back.

    Exits with 0 when all logs are intact, 1 when one was tampered with, 2 when they cannot be read.
    Rolling a log back together with its checkpoints is seen only against a checkpoint kept elsewhere.
    """
    from aegis_authz.cli.audit_text import report_json, report_lines
    from aegis_authz.commands.records import verify_records

    with exits_on_faults("audit"):
        reports = verify_records(_records(folder, state), state, key, expect)
    typer.echo(report_json(reports) if as_json else "\n".join(report_lines(reports)))
    if not all(report.is_intact for report in reports):
        raise typer.Exit(REFUSED)


@app.command()
def checkpoint(
    folder: Folder = None,
    state: OptionalState = None,
    key: Key = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write here instead of to standard output.")] = None,
) -> None:
    """Print the newest signed checkpoint of every log, to be kept where nobody can alter it with the records.

    Exits with 1 when a log has no checkpoint that can be trusted, 2 when it cannot be read.
    """
    from aegis_authz.commands.records import newest_checkpoints

    with exits_on_faults("audit"):
        notes = newest_checkpoints(_records(folder, state), state, key)
        if out is not None:
            out.write_bytes(notes)
    if out is None:
        typer.echo(notes, nl=False)


@app.command()
def tail(
    folder: Folder = None,
    state: OptionalState = None,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many records.")] = 20,
    agent: Annotated[str, typer.Option("--agent", help="Only of this agent: a name, or org/tenant/agent.")] = "",
    effect: Annotated[str, typer.Option("--effect", help="Only with this answer.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the last records, oldest first. Reads without verifying; `aegis audit verify` does that."""
    from aegis_authz.cli.audit_text import records_json, table
    from aegis_authz.commands.records import last_records
    from aegis_authz.evidence.query import RecordFilter

    record_filter = RecordFilter(agent=agent, effect=_effect(effect))
    with exits_on_faults("audit"):
        matches = last_records(_records(folder, state), count, record_filter)
    typer.echo(records_json(matches) if as_json else "\n".join(table(matches)))


@app.command("refused-by-proxy")
def refused_by_proxy(
    log: Annotated[Path | None, typer.Argument(help="Envoy's access log.", show_default="DIR/logs/access.log")] = None,
    state: OptionalState = None,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many lines.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what Envoy answered by itself, unjudged and so without a record: time, status, method and why.

    Oldest first, from Envoy's access log, which no chain covers.
    """
    from aegis_authz.cli.audit_text import proxy_refusals_json, proxy_refusals_table
    from aegis_authz.commands.access_log import proxy_refusals

    with exits_on_faults("audit"):
        refusals = proxy_refusals(log or (state or DEFAULT_STATE) / "logs" / "access.log", count)
    typer.echo(proxy_refusals_json(refusals) if as_json else "\n".join(proxy_refusals_table(refusals)))


@app.command()
def show(
    decision_id: Annotated[str, typer.Argument(help="The decision id, as in x-aegis-decision-id.")],
    folder: Folder = None,
    state: OptionalState = None,
    as_json: AsJson = False,
) -> None:
    """Show everything recorded of one decision. Reads without verifying. Exits with 1 when there is nothing."""
    from aegis_authz.cli.audit_text import in_full, records_json
    from aegis_authz.commands.records import decision_records

    records = _records(folder, state)
    with exits_on_faults("audit"):
        matches = decision_records(records, decision_id)
    if as_json:
        typer.echo(records_json(matches))
    for record in matches if not as_json else ():
        typer.echo("\n".join(in_full(record)))
    if not matches:
        typer.echo(f"aegis audit: no record of decision {decision_id!r} in {records}", err=True)
        raise typer.Exit(REFUSED)


def _effect(word: str) -> Effect | None:
    from aegis_authz.core.effect import Effect

    effects = [effect.value for effect in Effect]
    if word and word not in effects:
        raise typer.BadParameter(f"an effect is one of {', '.join(effects)}")
    return Effect(word) if word else None


def _records(folder: Path | None, state: Path | None) -> Path:
    return folder if folder is not None else (state or DEFAULT_STATE) / "records"
