"""The table of docs/sdk.md: a row for each player, a column for each case."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sdk.conformance.runner import CASES

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"
_START, _END = "<!-- table of the cases: make docs-sdk -->\n", "<!-- end of the table -->"
_ROW = re.compile(r"^\| ([^|]+?) \|(.*)\|$", re.MULTILINE)
_REASON = re.compile(r"^- (.+?), (.+?): (.+)$", re.MULTILINE)


def hold_row(player: str, outcomes: dict[str, str]) -> None:
    """Hold what a player did against its row, or write it where AEGIS_WRITE_DOCS is set. Raises AssertionError."""
    text = PAGE.read_text("utf-8")
    head, _, rest = text.partition(_START)
    table, _, tail = rest.partition(_END)
    rows = {name: _reasons(name, table) for name in _names(table)}
    if os.environ.get("AEGIS_WRITE_DOCS"):
        rows[player] = {case: reason for case, reason in outcomes.items() if reason}
        PAGE.write_text(f"{head}{_START}{_table(rows)}{_END}{tail}", "utf-8")
        return
    assert rows.get(player) == {case: reason for case, reason in outcomes.items() if reason}, "run: make docs-sdk"
    assert table == _table(rows), "run: make docs-sdk"


def _names(table: str) -> list[str]:
    return [name for name, _ in _ROW.findall(table) if name != "client or adapter" and not name.startswith("-")]


def _reasons(player: str, table: str) -> dict[str, str]:
    return {case: reason for name, case, reason in _REASON.findall(table) if name == player}


def _table(rows: dict[str, dict[str, str]]) -> str:
    cases = [case["name"] for case in CASES]
    lines = [f"| client or adapter | {' | '.join(cases)} |", f"|---|{'---|' * len(cases)}"]
    for player, reasons in sorted(rows.items()):
        lines.append(f"| {player} | {' | '.join('no' if case in reasons else 'yes' for case in cases)} |")
    lines.append("")
    lines += [
        f"- {player}, {case}: {reason}" for player, reasons in sorted(rows.items()) for case, reason in reasons.items()
    ]
    return "\n".join(lines).rstrip("\n") + "\n"
