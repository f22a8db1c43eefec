"""How approvals read for people. Nothing an agent wrote can steer the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from aegis_authz.api.approvals import ApprovalAnswer, ApprovedAnswer
from aegis_authz.policy.source.problems import printable

_COLUMNS = ("state", "agent", "call", "parameters", "expires")
_SHORT = 60
_NOT_ENFORCED = "(not enforced yet: whoever decides has to honour it)"


def approvals_table(approvals: Sequence[ApprovalAnswer], standing: str) -> None:
    """Print a table of approvals."""
    console = Console()
    if not approvals:
        console.print(f"no {standing} approvals" if standing != "all" else "no approvals", highlight=False)
        return
    table = Table(Column("id", no_wrap=True), *_COLUMNS)
    for approval in approvals:
        parameters = _ascii(approval.parameters)
        table.add_row(
            Text(printable(approval.id)),
            Text(approval.state.value),
            Text(_scope(approval)),
            Text(_call(approval)),
            Text(parameters if len(parameters) <= _SHORT else f"{parameters[: _SHORT - 3]}..."),
            Text(_local_time(approval.expires_at)),
        )
    console.print(table)


def approval_sheet(approval: ApprovalAnswer) -> None:
    """Print everything about one approval."""
    table = Table(box=None, show_header=False)
    for name, value in _rows(approval):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table)


def approved_text(approved: ApprovedAnswer) -> str:
    """What an approver passes on: the token, and how it is used."""
    return "\n".join(
        (
            f"approved: {_scope(approved)} may run {_call(approved)} once, with exactly {_ascii(approved.parameters)}",
            f"until {_local_time(approved.expires_at)}. Repeat the call with a fresh x-aegis-token and this header:",
            "",
            f"x-aegis-approval: {printable(approved.override_token)}",
        )
    )


def denied_text(denied: ApprovalAnswer) -> str:
    """One line that says what will not run."""
    return f"denied: {_scope(denied)} may not run {_call(denied)} with {_ascii(denied.parameters)}"


def _rows(approval: ApprovalAnswer) -> Iterator[tuple[str, str]]:
    yield "id", printable(approval.id)
    yield "state", approval.state.value
    yield "agent", _scope(approval)
    yield "call", _call(approval)
    yield "parameters", _ascii(approval.parameters, indent=2)
    for name, value in approval.besides.items():
        yield printable(name), printable(value) if isinstance(value, str) else _ascii(value, indent=2)
    yield "digest", printable(approval.digest)
    yield "policies", _ascii(list(approval.policies))
    yield "revision", printable(approval.revision)
    yield "meant for", f"{_ascii(list(approval.groups))} {_NOT_ENFORCED}" if approval.groups else "any approver"
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
