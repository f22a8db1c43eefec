"""How releases and problems of documents read, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.problems import Problem, printable

_LATEST = 10


def problems_json(problems: Sequence[Problem]) -> str:
    """The problems as one JSON object."""
    return json.dumps({"valid": False, "problems": [asdict(problem) for problem in problems]}, indent=2)


def release_text(said: Mapping[str, Json]) -> str:
    """What became of a publish or rollback."""
    revision, previous = _text(said.get("revision")), _text(said.get("previous"))
    if said.get("changed") is True:
        lines = [f"revision {revision} in place of {previous or 'none'}"]
    else:
        lines = [f"no change: revision {revision} is served already"]
    seconds = said.get("seconds")
    active, waiting, refused = said.get("active_on"), said.get("waiting_for"), said.get("refused")
    if isinstance(active, list) and active:
        after = f" after {seconds:.2f} s" if isinstance(seconds, float) else ""
        lines.append(f"active on {_names(active)}{after}")
    elif not waiting and not refused:
        lines.append("no OPA has reported yet: it will be active when one asks for it")
    if isinstance(waiting, list) and waiting:
        lines.append(f"not yet active on {_names(waiting)}")
    if isinstance(refused, Mapping):
        lines += [f"REFUSED by {_text(name)}: {_text(why)}" for name, why in refused.items()]
    return "\n".join(lines)


def status_tables(standing: Mapping[str, Json], log: Mapping[str, Json]) -> None:
    """Print what is served, what each OPA runs, and the latest changes."""
    console = Console()
    console.print(Text(f"served: {_text(standing.get('revision')) or 'nothing yet'}"))
    _print_rows(console, standing.get("opa"), ("instance", "active_revision", "trouble"), "no OPA has reported lately")
    _print_rows(console, log.get("changes"), ("time", "kind", "revision", "by", "message"), "no changes")


def _print_rows(console: Console, listed: Json, columns: tuple[str, ...], otherwise: str) -> None:
    rows = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    if not rows:
        console.print(Text(otherwise))
        return
    table = Table(*(column.replace("_", " ") for column in columns))
    for item in rows[:_LATEST]:
        table.add_row(*(Text(_cell(item.get(column))) for column in columns))
    console.print(table)


def _cell(value: Json) -> str:
    if isinstance(value, float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    return _text(value)


def _names(names: Sequence[Json]) -> str:
    return ", ".join(_text(name) for name in names)


def _text(value: Json) -> str:
    return printable(value) if isinstance(value, str) else ""
