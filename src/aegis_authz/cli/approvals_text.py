"""How approvals read for people. Nothing an agent wrote can steer the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from aegis_authz.api.approvals import ApprovalAnswer, ApprovalsAnswer, ApprovedAnswer
from aegis_authz.api.notices import ChannelsAnswer, UndeliveredAnswer
from aegis_authz.api.oversight import OversightAnswer, OversightRow
from aegis_authz.core.approval import ApprovalProof, ApprovalState
from aegis_authz.evidence.oversight import Figures, Grouping
from aegis_authz.policy.source.problems import printable

_COLUMNS = ("id", "state", "expires", "agent", "call", "parameters")
_SHORT = 60


def approvals_table(page: ApprovalsAnswer, standing: str) -> None:
    """Print a page of approvals: a table for a terminal, else lines of columns, nothing of them cut off."""
    console = Console()
    rows = [_columns(approval) for approval in page.approvals]
    if not rows:
        typer.echo(f"no {standing} approvals" if standing != "all" else "no approvals")
    elif console.is_terminal:
        table = Table(*(Column(name, no_wrap=name == "id") for name in _COLUMNS))
        for *cells, parameters in rows:
            short = parameters if len(parameters) <= _SHORT else f"{parameters[: _SHORT - 3]}..."
            table.add_row(*map(Text, (*cells, short)))
        console.print(table)
    else:
        widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
        for row in (_COLUMNS, *rows):
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name in page.unreadable:
        typer.echo(f"{printable(name)} cannot be read", err=True)
    if page.after:
        typer.echo(f"there may be more: --after {printable(page.after)}", err=True)


def approval_sheet(approval: ApprovalAnswer) -> None:
    """Print everything about one approval."""
    console = Console()
    if not console.is_terminal:
        for name, value in _rows(approval):
            typer.echo(f"{name}: {value}")
        return
    table = Table(box=None, show_header=False)
    for name, value in _rows(approval):
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)


def approved_text(approved: ApprovedAnswer) -> str:
    """What an approver passes on: the token, and how it is used."""
    if not approved.override_token:
        count = f"{len(approved.approved_by)} of {approved.approvals}"
        return f"approved by {count}: {_scope(approved)} may run {_call(approved)} once the others have approved, too"
    return "\n".join(
        (
            f"approved: {_scope(approved)} may run {_call(approved)} once, with exactly {_ascii(approved.parameters)}",
            f"until {_local_time(approved.expires_at)}. Repeat the call unchanged with a fresh x-aegis-token.",
            "This header shows the approval; the same call of the same agent goes through without it, too:",
            "",
            f"x-aegis-approval: {printable(approved.override_token)}",
        )
    )


def denied_text(denied: ApprovalAnswer) -> str:
    """One line that says what will not run."""
    return f"denied: {_scope(denied)} may not run {_call(denied)} with {_ascii(denied.parameters)}"


def cancelled_text(cancelled: ApprovalAnswer) -> str:
    """One line that says what will not run after all."""
    return f"cancelled: {_scope(cancelled)} may not run {_call(cancelled)} with {_ascii(cancelled.parameters)}"


def waiting_line(approval: ApprovalAnswer) -> str:
    """One line about a call that waits for somebody."""
    return "  ".join((*_columns(approval)[:1], *_columns(approval)[2:]))


def undelivered_lines(answer: UndeliveredAnswer, channels: ChannelsAnswer) -> Iterator[str]:
    """A line for each channel that fails, and for each notice that reached nobody."""
    for channel in channels.channels:
        if channel.failures:
            yield printable(
                f"{channel.kind} fails, {channel.failures} times since a message arrived: {channel.trouble}"
            )
    if not answer.undelivered:
        yield "every notice was delivered, or waits to be"
    for notice in answer.undelivered:
        yield printable(f"{notice.approval or notice.alert}  {notice.place}  {notice.notice}  {notice.trouble}")


def figures_table(rows: Sequence[Figures], by: Grouping) -> None:
    """Print how people decided, a line for each group."""
    for line in _figure_lines(rows, by.value):
        typer.echo(line)


def oversight_lines(answer: OversightAnswer) -> Iterator[str]:
    """The same, as the control plane tells it, and who approves without reading."""
    yield from _figure_lines(answer.rows, answer.by)
    for stamp in answer.rubber_stamping:
        yield printable(
            f"{stamp.person} approves without reading: {stamp.hasty} of {stamp.approvals} approvals in under 3 seconds"
        )


def _figure_lines(rows: Sequence[Figures | OversightRow], by: str) -> Iterator[str]:
    heads = (by, "asked", "approved", "denied", "cancelled", "expired", "median s", "under 3 s")
    cells = [tuple(map(str, _figures(row))) for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for row in (heads, *cells):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _figures(row: Figures | OversightRow) -> tuple[object, ...]:
    seconds = "-" if row.median_seconds is None else f"{row.median_seconds:.1f}"
    name = printable(row.key) or "(nobody)"
    return name, row.asked, row.approved, row.denied, row.cancelled, row.expired, seconds, row.hasty


def _columns(approval: ApprovalAnswer) -> tuple[str, ...]:
    return (
        printable(approval.id),
        approval.state.value,
        _local_time(approval.expires_at),
        _scope(approval),
        _call(approval),
        _ascii(approval.parameters),
    )


def _rows(approval: ApprovalAnswer) -> Iterator[tuple[str, str]]:
    yield "id", printable(approval.id)
    yield "state", f"{approval.state.value}: {printable(approval.detail)}"
    yield "agent", _scope(approval)
    yield "call", _call(approval)
    yield "parameters", _ascii(approval.parameters, indent=2)
    for name, value in approval.besides.items():
        yield printable(name), printable(value) if isinstance(value, str) else _ascii(value, indent=2)
    if approval.session:
        yield "session", printable(approval.session)
    yield "digest", printable(approval.digest)
    yield "policies", _ascii(list(approval.policies))
    yield "basis", f"{printable(approval.basis)} (of revision {printable(approval.revision)})"
    yield "held by", f"decision {printable(approval.decision_id)}"
    people = "one person" if approval.approvals == 1 else f"{approval.approvals} different people"
    yield "needs", f"{people} of {_ascii(list(approval.groups))}" if approval.groups else f"{people}, any approver"
    if approval.approved_by and approval.state is ApprovalState.PENDING:
        yield "approved so far by", printable(", ".join(approval.approved_by))
    if approval.confirm:
        yield "to be typed", _ascii(list(approval.confirm))
    if approval.proof is ApprovalProof.SIGNED_IN:
        yield "decided by", "who is signed in, not by a button in a chat"
    if approval.notify:
        yield "told at", _ascii(list(approval.notify))
    yield "asked", _local_time(approval.requested_at)
    yield "expires", _local_time(approval.expires_at)
    if approval.decided_by and approval.decided_at is not None:
        yield "decided", f"{_local_time(approval.decided_at)} by {printable(approval.decided_by)}"


def _scope(approval: ApprovalAnswer) -> str:
    return printable(f"{approval.org}/{approval.tenant}/{approval.agent}")


def _call(approval: ApprovalAnswer) -> str:
    return printable(f"{approval.tool} {approval.action}")


def _ascii(value: JsonValue, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent)  # ASCII only: no look-alikes, no marks that reorder the text


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
