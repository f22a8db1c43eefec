"""`aegis audit`: prove the records, keep checkpoints of them, and read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.attesting import attest
from aegis_authz.cli.cosigning import cosign
from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, OpenedWith, OptionalState, records_folder, since_option
from aegis_authz.cli.record_encryption import encrypt, rekey
from aegis_authz.cli.record_proof import prove
from aegis_authz.cli.retention import Folder, compress, retain
from aegis_authz.cli.shipping import fetch, ship, shipped

if TYPE_CHECKING:
    from aegis_authz.core.effect import Effect
    from aegis_authz.core.reason import Reason
    from aegis_authz.evidence.query import RecordFilter

_LAST = 20
_ALL = 1_000_000_000
_LOOK_EVERY = 0.3  # seconds

app = typer.Typer(help="Prove and read the decision records.", no_args_is_help=True)
app.command()(compress)
app.command()(encrypt)
app.command()(rekey)
app.command()(retain)
app.command()(prove)
app.command()(attest)
app.command()(cosign)
app.command()(ship)
app.command()(shipped)
app.command()(fetch)


@app.callback()
def audit(
    records_key: Annotated[
        list[str] | None,
        typer.Option(
            "--records-key",
            help="A key that records are encrypted under, file:PATH or vault:MOUNT/NAME; repeatable, the newest first.",
            show_default="AEGIS_RECORDS_KEYS",
        ),
    ] = None,
) -> None:
    """Prove and read the decision records."""
    from aegis_authz.commands.record_encryption import use_record_keys

    with exits_on_faults("audit"):
        use_record_keys(records_key or ())


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
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", help="The control plane's anchors of all logs; default: DIR/anchors.jsonl if there."),
    ] = None,
    place: Annotated[
        list[str] | None, typer.Option("--place", help="Only anchors of writers that run there; repeatable.")
    ] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="The folder holds sealed segments alone (`aegis audit fetch`).")
    ] = False,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", help="The key of a witness that cosigned (name+id+key); repeatable."),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option("--quorum", min=1, help="How many of them have to have.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove offline that no record was altered, removed, moved, added or rolled back.

    Exits with 0 when all logs are intact, 1 when one was tampered with, 2 when they cannot be read.
    Rolling a log back together with its checkpoints is seen only against anchors, or a checkpoint kept elsewhere.
    """
    from aegis_authz.cli.audit_text import report_json, report_lines
    from aegis_authz.commands.cosigning import held_against, witness_keys
    from aegis_authz.commands.records import verify_records

    records = records_folder(folder, state)
    with exits_on_faults("audit"):
        witnesses = witness_keys(witness or [], quorum)
        reports = verify_records(records, state, key, expect, anchors, place or (), sealed)
        if witnesses:
            reports = held_against(records, state, key, witnesses, quorum or len(witnesses), reports)
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
        notes = newest_checkpoints(records_folder(folder, state), state, key)
        if out is not None:
            out.write_bytes(notes)
    if out is None:
        typer.echo(notes, nl=False)


@app.command()
def tail(
    folder: Folder = None,
    state: OptionalState = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, max=100_000, help="How many records.", show_default="20; with --since, all"
        ),
    ] = None,
    agent: Annotated[str, typer.Option("--agent", help="Only of this agent: a name, or org/tenant/agent.")] = "",
    effect: Annotated[str, typer.Option("--effect", help="Only with this answer: allow, deny, ...")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Only with this reason: POLICY_DENIED, ...")] = "",
    tool: Annotated[str, typer.Option("--tool", help="Only calls of this tool of the catalogue.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only from then on: 90s, 10m, 2h, 1d ago, or 2026-11-29T13:00Z.")
    ] = "",
    mark: Annotated[
        int, typer.Option("--limit-at", metavar="80|100", help="Only calls that brought a limit to 80 or 100 % of it.")
    ] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new records until interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --follow, a line a record.")] = False,
) -> None:
    """List the last records, oldest first. Reads without verifying; `aegis audit verify` does that.

    Example: aegis audit tail --follow --effect deny --tool stripe-payments
    """
    from aegis_authz.cli.audit_text import records_json, table
    from aegis_authz.commands.records import last_records
    from aegis_authz.core.record import MARKS
    from aegis_authz.evidence.query import RecordFilter

    if mark not in (0, *MARKS):
        raise typer.BadParameter(f"a mark is one of {', '.join(map(str, sorted(MARKS)))}", param_hint="--limit-at")
    record_filter = RecordFilter("", agent, _effect(effect), _reason(reason), tool, since_option(since), mark)
    amount = count if count is not None else _ALL if since else _LAST
    records = records_folder(folder, state)
    if follow:
        with exits_on_faults("audit"):
            follow_tail(records, amount, record_filter, as_json, lambda: time.sleep(_LOOK_EVERY))
        return
    with exits_on_faults("audit"):
        matches = last_records(records, amount, record_filter)
    typer.echo(records_json(matches) if as_json else "\n".join(table(matches)))


def follow_tail(
    records: Path, count: int, record_filter: RecordFilter, as_json: bool, wait: Callable[[], None]
) -> None:
    """Print the last records and then each new one, until Ctrl-C; `wait` is called between looks. Raises Unable."""
    from aegis_authz.cli.audit_text import record_line, table_row
    from aegis_authz.commands.records import follow_records, last_records

    line = record_line if as_json else table_row
    try:
        new = follow_records(records, record_filter, wait)
        last = last_records(records, count, record_filter)
        for stored in last:
            typer.echo(line(stored))
        places = {(stored.file, stored.number) for stored in last}  # what came while the last ones were read
        for stored in new:
            if (stored.file, stored.number) not in places:
                typer.echo(line(stored))
    except KeyboardInterrupt:
        typer.echo()


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
def reconcile(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="LOG...", help="Envoys' access logs.", show_default="DIR/logs/access.log"),
    ] = None,
    state: OptionalState = None,
    records: Annotated[
        Path | None, typer.Option("--records", help="The folder of record logs; default: DIR/records.")
    ] = None,
    patience: Annotated[
        float, typer.Option("--patience", min=0, help="Seconds that a call may last, and its outcome take.")
    ] = 60.0,
    since: Annotated[
        str, typer.Option("--since", help="Only from then on: 90s, 10m, 2h, 1d ago, or 2026-11-29T13:00Z.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Hold what Envoy did against the records: a call without an allow, an allow without a call.

    A call whose outcome is on no record is a gap, too. Give the access logs of all Envoys whose records are there.
    Reads without verifying; `aegis audit verify` does that.
    Exits with 0 when all fits, 1 when there is a gap, 2 when something cannot be read.

    Example: aegis audit reconcile --dir DIR --since 1d
    """
    from aegis_authz.cli.audit_text import reconciliation_json, reconciliation_lines
    from aegis_authz.commands.reconcile import reconcile_records

    paths = logs or [(state or DEFAULT_STATE) / "logs" / "access.log"]
    with exits_on_faults("audit"):
        result = reconcile_records(paths, records_folder(records, state), patience, since_option(since))
    typer.echo(reconciliation_json(result) if as_json else "\n".join(reconciliation_lines(result)))
    if result.gaps:
        raise typer.Exit(REFUSED)


@app.command()
def show(
    decision_id: Annotated[
        str, typer.Argument(help="The decision id, as in x-aegis-decision-id, or an approval's id.")
    ],
    folder: Folder = None,
    state: OptionalState = None,
    open_with: OpenedWith = None,
    as_json: AsJson = False,
) -> None:
    """Show everything recorded of one decision, or of one approval: the held call, who decided, the call that used it.

    Reads without verifying. With --open, what is sealed for that key is shown as a record in the clear would have it.
    Exits with 1 when there is nothing, and when what is sealed is not what was sealed there.
    """
    from aegis_authz.cli.audit_text import in_full, records_json
    from aegis_authz.commands.records import decision_records
    from aegis_authz.commands.sealed_records import auditor_opener

    records = records_folder(folder, state)
    with exits_on_faults("audit"):
        matches = [*map(auditor_opener(open_with or ()), decision_records(records, decision_id))]
    if as_json:
        typer.echo(records_json(matches))
    for record in matches if not as_json else ():
        typer.echo("\n".join(in_full(record)))
    if not matches:
        typer.echo(f"aegis audit: no record of decision {decision_id!r} in {records}", err=True)
    for record in matches:
        if record.fault:
            typer.echo(f"aegis audit: {record.file} line {record.number}: {record.fault}", err=True)
    if not matches or any(record.fault for record in matches):
        raise typer.Exit(REFUSED)


@app.command("timeline")
def timeline_(
    approval: Annotated[str, typer.Option("--approval", help="The id of the approval.")],
    folder: Folder = None,
    state: OptionalState = None,
    as_json: AsJson = False,
) -> None:
    """Tell the trail of one approval: who asked, who decided, what used it, what became of that, each with its record.

    Reads without verifying. Exits with 1 when there is nothing.

    Example: aegis audit timeline --approval apr_0a0123456789abcdef0123456789abcdef
    """
    from aegis_authz.cli.audit_text import timeline_json, timeline_lines
    from aegis_authz.commands.records import approval_timeline

    records = records_folder(folder, state)
    with exits_on_faults("audit"):
        steps = approval_timeline(records, approval)
    if as_json:
        typer.echo(timeline_json(steps))
    for line in timeline_lines(steps) if not as_json else ():
        typer.echo(line)
    if not steps:
        typer.echo(f"aegis audit: no record of approval {approval!r} in {records}", err=True)
        raise typer.Exit(REFUSED)


@app.command()
def query(
    folder: Folder = None,
    state: OptionalState = None,
    agent: Annotated[str, typer.Option("--agent", help="Only of this agent: a name, or org/tenant/agent.")] = "",
    tool: Annotated[str, typer.Option("--tool", help="Only of this tool of the catalogue.")] = "",
    effect: Annotated[str, typer.Option("--effect", help="Only with this answer: allow, deny, ...")] = "",
    approval: Annotated[str, typer.Option("--approval", help="Only of this approval.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only from then on: 90s, 10m, 2h, 1d ago, or 2026-11-29T13:00Z.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Only from before then.")] = "",
    count: Annotated[int, typer.Option("--lines", "-n", min=1, max=1_000_000, help="How many records.")] = 100,
    index: Annotated[
        Path | None, typer.Option("--index", help="The index's file.", show_default="records.index beside the folder")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the index anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find decisions and approvals by an index, which is brought up to date first.

    Reads without verifying; `aegis audit verify` does that. The index can be deleted at any time.

    Example: aegis audit query --agent finance-agent --effect deny --since 7d
    """
    from aegis_authz.cli.audit_text import records_json, table
    from aegis_authz.commands.records import indexed_records
    from aegis_authz.evidence.query import IndexQuery

    records = records_folder(folder, state)
    ends_at = since_option(until, "--until") if until else float("inf")
    _effect(effect)  # which refuses a word that is none
    sought = IndexQuery(agent, tool, effect, approval, since_option(since), ends_at)
    with exits_on_faults("audit"):
        matches = indexed_records(records, index or records.parent / "records.index", sought, count, rebuild)
    typer.echo(records_json(matches) if as_json else "\n".join(table(matches)))


def _effect(word: str) -> Effect | None:
    from aegis_authz.core.effect import Effect

    effects = [effect.value for effect in Effect]
    if word and word not in effects:
        raise typer.BadParameter(f"an effect is one of {', '.join(effects)}")
    return Effect(word) if word else None


def _reason(word: str) -> Reason | None:
    from aegis_authz.cli.reason_words import read_reason

    try:
        return read_reason(word) if word else None
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
