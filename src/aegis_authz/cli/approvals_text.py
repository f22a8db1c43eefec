"""How approvals read for people. Nothing an agent wrote can steer the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.problems import printable

_COLUMNS = ("state", "agent", "call", "parameters", "expires")
_SHORT = 60
_NOT_ENFORCED = "(not enforced yet: whoever decides has to honour it)"


def approvals_table(said: Mapping[str, Json], standing: str) -> None:
    """Print a table of approvals."""
    listed = said.get("approvals")
    rows = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    console = Console()
    if not rows:
        console.print(f"no {standing} approvals" if standing != "all" else "no approvals", highlight=False)
        return
    table = Table(Column("id", no_wrap=True), *_COLUMNS)
    for item in rows:
        parameters = _json(item.get("parameters"))
        table.add_row(
            Text(_text(item, "id")),
            Text(_text(item, "state")),
            Text(_scope(item)),
            Text(_call(item)),
            Text(parameters if len(parameters) <= _SHORT else f"{parameters[: _SHORT - 3]}..."),
            Text(_when(item.get("expires_at"))),
        )
    console.print(table)


def approval_sheet(said: Mapping[str, Json]) -> None:
    """Print everything about one approval."""
    table = Table(box=None, show_header=False)
    for name, value in _facts(said):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table)


def approved_text(said: Mapping[str, Json]) -> str:
    """What an approver passes on: the token, and how it is used."""
    return "\n".join(
        (
            f"approved: {_scope(said)} may run {_call(said)} once, with exactly {_json(said.get('parameters'))}",
            f"until {_when(said.get('expires_at'))}. Repeat the call with a fresh x-aegis-token and this header:",
            "",
            f"x-aegis-approval: {_text(said, 'override_token')}",
        )
    )


def denied_text(said: Mapping[str, Json]) -> str:
    """One line that says what will not run."""
    return f"denied: {_scope(said)} may not run {_call(said)} with {_json(said.get('parameters'))}"


def _facts(said: Mapping[str, Json]) -> list[tuple[str, str]]:
    facts = [
        ("id", _text(said, "id")),
        ("state", _text(said, "state")),
        ("agent", _scope(said)),
        ("call", _call(said)),
        ("parameters", _json(said.get("parameters"), indent=2)),
        ("digest", _text(said, "digest")),
        ("policies", _json(said.get("policies"))),
        ("revision", _text(said, "revision")),
        ("meant for", f"{_json(said.get('groups'))} {_NOT_ENFORCED}" if said.get("groups") else "any approver"),
        ("asked", _when(said.get("requested_at"))),
        ("expires", _when(said.get("expires_at"))),
    ]
    if said.get("decided_by"):
        facts.append(("decided", f"{_when(said.get('decided_at'))} by {_text(said, 'decided_by')}"))
    return facts


def _text(said: Mapping[str, Json], name: str) -> str:
    value = said.get(name)
    return printable(value) if isinstance(value, str) else ""


def _scope(said: Mapping[str, Json]) -> str:
    return "/".join(_text(said, part) for part in ("org", "tenant", "agent"))


def _call(said: Mapping[str, Json]) -> str:
    return f"{_text(said, 'tool')} {_text(said, 'action')}"


def _json(value: Json, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent)  # ASCII only: no look-alikes, no marks that reorder the text


def _when(seconds: Json) -> str:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
