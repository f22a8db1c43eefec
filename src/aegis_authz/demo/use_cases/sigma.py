"""The Sigma rules of deploy/sigma, run over events as `aegis export --format json` writes them.

What is run is the SQL that pySigma makes of each rule (`make sigma`), on a database in memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from aegis_authz.core.json_value import Json

_EVENT_COLUMNS = (
    *("@timestamp", "agent", "approver", "effect", "first_use", "hour", "kind", "limit_mark", "parameters.path"),
    *("quarantined_until", "reason", "step", "weekday"),
)
"""What rules ask for, for not every event has all of it."""


@dataclass(frozen=True, slots=True)
class SigmaRule:
    """A rule: the name of its file, its title and level, and the SQL it is as."""

    name: str
    title: str
    level: str
    query: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that fires, and on how many events or groups of them."""

    rule: SigmaRule
    hits: int


def sigma_rules(folder: Path) -> list[SigmaRule]:
    """The rules of a folder, by name. Raises OSError."""
    queries = json.loads((folder / "compiled" / "sqlite.json").read_text("utf-8"))
    rules = []
    for path in sorted(folder.glob("*.yml")):
        [*_, document] = yaml.safe_load_all(path.read_text("utf-8"))
        rules.append(SigmaRule(path.stem, document["title"], document["level"], queries[path.stem]))
    return rules


def alerts(rules: Collection[SigmaRule], events: Collection[Mapping[str, Json]]) -> list[Alert]:
    """The rules that fire on these events."""
    rows = [dict(_flat(event, "")) for event in events]
    columns = sorted({name for row in rows for name in row}.union(_EVENT_COLUMNS))
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"CREATE TABLE logs ({', '.join(map(_quoted, columns))})")
        database.executemany(
            f"INSERT INTO logs VALUES ({', '.join('?' * len(columns))})",  # noqa: S608  # placeholders
            [[row.get(name) for name in columns] for row in rows],
        )
        hits = [Alert(rule, len(database.execute(rule.query).fetchall())) for rule in rules]
    finally:
        database.close()
    return [alert for alert in hits if alert.hits]


def _quoted(name: str) -> str:
    """The name of a column, whatever an agent called its parameter."""
    return '"' + name.replace('"', '""') + '"'


def _flat(members: Mapping[str, Json], before: str) -> Iterator[tuple[str, str | float | None]]:
    """Columns and values; SQL knows no capitals in names."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name.lower()}.")
        elif value is None or isinstance(value, str | int | float):
            yield f"{before}{name.lower()}", value
        else:
            yield f"{before}{name.lower()}", json.dumps(value)
