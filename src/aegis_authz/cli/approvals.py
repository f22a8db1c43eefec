"""`aegis approvals`: see held calls and decide them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState, OptionalState, records_folder, since_option
from aegis_authz.cli.standing_decisions import add_standing_decisions

app = typer.Typer(help="See the calls that wait for a human, and decide them.", no_args_is_help=True)

ApprovalId = Annotated[str, typer.Argument(help="The approval's id (`apr_...`).")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the records.")]


@app.command("list")
def list_(
    state: MeshState = DEFAULT_STATE,
    standing: Annotated[
        str, typer.Option("--state", help="pending, approved, denied, expired, cancelled, used, stale, or all.")
    ] = "pending",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 50,
    after: Annotated[str, typer.Option("--after", help="Go on where the last page ended.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """List approvals, those that expire last first.

    Example: aegis approvals list --dir DIR --state all
    """
    from aegis_authz.cli.approvals_text import approvals_table
    from aegis_authz.commands.approvals import list_approvals

    with exits_on_faults("approvals list"):
        page = list_approvals(state, "" if standing == "all" else standing, limit, after)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
    else:
        approvals_table(page, standing)


@app.command()
def show(approval_id: ApprovalId, state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show exactly what would run.

    Example: aegis approvals show apr_3f... --dir DIR
    """
    from aegis_authz.cli.approvals_text import approval_sheet
    from aegis_authz.commands.approvals import get_approval

    with exits_on_faults("approvals show"):
        approval = get_approval(state, approval_id)
    if as_json:
        typer.echo(approval.model_dump_json(indent=2))
    else:
        approval_sheet(approval)


@app.command("approve")
def approve_(
    approval_ids: Annotated[list[str], typer.Argument(help="The approval's id (`apr_...`), or several.")],
    state: MeshState = DEFAULT_STATE,
    note: Note = "",
    confirm: Annotated[
        list[str] | None, typer.Option("--confirm", help="NAME=VALUE of the call, where its rule wants it typed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Of several: approve without asking once all are shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Approve a held call and print its one-time override token.

    Of several, each is shown whole first, and approved once you say so; each has a result of its own, and it exits
    with 1 when one of them was not approved.

    Example: aegis approvals approve apr_3f... --dir DIR --note "invoice 1181" --confirm payee=ACME
    """
    from aegis_authz.cli.approval_batches import approve_several
    from aegis_authz.cli.approvals_text import approved_text
    from aegis_authz.commands.approvals import approve

    if len(approval_ids) > 1:
        approve_several(state, approval_ids, note, is_sure=yes, as_json=as_json, is_typed=bool(confirm))
        return
    with exits_on_faults("approvals approve"):
        approved = approve(state, approval_ids[0], note, _pairs(confirm or []))
    typer.echo(approved.model_dump_json(indent=2) if as_json else approved_text(approved))


@app.command("deny")
def deny_(
    approval_id: ApprovalId,
    note: Annotated[str, typer.Option("--note", help="Why; whoever asked must learn what to change.")],
    state: MeshState = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Deny a held call, for a reason.

    Example: aegis approvals deny apr_3f... --dir DIR --note "not this payee"
    """
    from aegis_authz.cli.approvals_text import denied_text
    from aegis_authz.commands.approvals import deny

    with exits_on_faults("approvals deny"):
        denied = deny(state, approval_id, note)
    typer.echo(denied.model_dump_json(indent=2) if as_json else denied_text(denied))


@app.command("cancel")
def cancel_(
    approval_id: ApprovalId, state: MeshState = DEFAULT_STATE, note: Note = "", as_json: AsJson = False
) -> None:
    """Take an approval back that is pending, or granted and not used.

    Example: aegis approvals cancel apr_3f... --dir DIR --note "wrong payee"
    """
    from aegis_authz.cli.approvals_text import cancelled_text
    from aegis_authz.commands.approvals import cancel

    with exits_on_faults("approvals cancel"):
        cancelled = cancel(state, approval_id, note)
    typer.echo(cancelled.model_dump_json(indent=2) if as_json else cancelled_text(cancelled))


@app.command()
def watch(
    state: MeshState = DEFAULT_STATE,
    every: Annotated[float, typer.Option("--every", min=0.2, max=60, help="Seconds between two looks.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Print what waits for somebody, and what comes to wait, a line each, until it is stopped.

    Example: aegis approvals watch --dir DIR
    """
    from aegis_authz.cli.approvals_text import waiting_line
    from aegis_authz.commands.approvals import watch_approvals

    with exits_on_faults("approvals watch"), suppress(KeyboardInterrupt):
        for approval in watch_approvals(state, lambda: time.sleep(every)):
            typer.echo(approval.model_dump_json() if as_json else waiting_line(approval))


@app.command()
def undelivered(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List the channels that fail, and the notices of held calls that reached nobody, and why.

    Example: aegis approvals undelivered --dir DIR
    """
    from aegis_authz.cli.approvals_text import undelivered_lines
    from aegis_authz.commands.approvals import channels_of, undelivered_notices

    with exits_on_faults("approvals undelivered"):
        answer, channels = undelivered_notices(state), channels_of(state)
    if as_json:
        typer.echo(json.dumps({**answer.model_dump(), **channels.model_dump()}, indent=2))
    else:
        typer.echo("\n".join(undelivered_lines(answer, channels)))


@app.command()
def oversight(
    state: MeshState = DEFAULT_STATE,
    by: Annotated[str, typer.Option("--by", help="What to group by: person, rule, channel or tenant.")] = "person",
    days: Annotated[float, typer.Option("--days", min=0.01, max=366, help="Of the last so many days.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Tell how people decided held calls, from the control plane's history, and who approves without reading.

    Exits with 1 when somebody does.

    Example: aegis approvals oversight --by channel --days 7
    """
    from aegis_authz.cli.approvals_text import oversight_lines
    from aegis_authz.commands.approvals import oversight_of

    with exits_on_faults("approvals oversight"):
        answer = oversight_of(state, by, days)
    typer.echo(answer.model_dump_json(indent=2) if as_json else "\n".join(oversight_lines(answer)))
    if answer.rubber_stamping:
        raise typer.Exit(1)


@app.command()
def figures(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of record logs, or one log; default: DIR/records.", show_default=False),
    ] = None,
    state: OptionalState = None,
    by: Annotated[str, typer.Option("--by", help="What to group by: tenant, rule or person.")] = "person",
    since: Annotated[
        str,
        typer.Option("--since", help="Only what was asked from then on: 10m, 2h, 1d ago, or 2026-11-29T13:00Z."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Count how people decided, from the records: how many, how fast, and what nobody can have read.

    Reads without verifying; `aegis audit verify` does that. Exits with 2 when the records cannot be read.

    Example: aegis approvals figures --by rule --since 7d
    """
    from aegis_authz.cli.approvals_text import figures_table
    from aegis_authz.commands.approvals import read_grouping, recorded_oversight

    try:
        grouping = read_grouping(by)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    moment, records = since_option(since), records_folder(folder, state)
    with exits_on_faults("approvals figures"):
        rows = recorded_oversight(records, grouping, moment)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        figures_table(rows, grouping)


add_standing_decisions(app)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    if len(pairs) != len(texts) or not all("=" in text for text in texts):
        raise typer.BadParameter("must be NAME=VALUE, each name once", param_hint="--confirm")
    return pairs
