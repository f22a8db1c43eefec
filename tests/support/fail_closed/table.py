"""docs/fail-closed.md: written from what was measured, and held against it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.fail_closed.doors import CHARGED, DOORS, Door, Seen

PAGE = Path(__file__).parents[3] / "docs" / "fail-closed.md"
WRITE = "AEGIS_WRITE_DOCS"
"""Set in the environment, the page is written instead of compared."""

_INTRODUCTION = """\
# Fail closed

What happens to a good call when something is broken, measured at each door of a running mesh: real Envoy, OPA and
Redis, two authorizers. Written by `make docs-fail-closed` from `tests/e2e/test_fail_closed.py`, which runs every line;
only the times are not held against this page.

- The doors: a plain HTTP call, a `tools/call`, another MCP request (`tools/list`), a call whose bodies are redacted, and
  a question to the [evaluation endpoint](evaluation.md).
- A cell says the HTTP status and the form of the answer: *problem* is an RFC 9457 document, *tool result* a
  `CallToolResult` with `isError: true`, `false` a question's answer with `"decision": false`. Nothing of such a call
  reaches its tool. Where there is no such door, or nothing answers at it (an authorizer that is dead or hangs), it is `-`.
- *Recorded*: in the tamper-evident log before the answer left. Where it says no, nobody was asked or nothing could be written.
- *ms*: arrival to record inside the authorizer, the slowest of the doors on one small shared machine.
- Once a fault is gone, calls pass again within 15 seconds, without anybody's doing.
"""
DENIED = ("Fault", "Reason", *(door.name for door in DOORS), "Recorded", "ms")
LIMITED = ("Fault", "Reason", CHARGED.name, "Recorded", "ms")
_GOING_ON = ("Fault", "A good call", "A forbidden call", "Recorded")
_GOES_ON = "Faults that stop nothing"
_GOES_ON_WORDS = "Calls go on, judged by the last good policy.\n"
_LIMITED_WORDS = """\
A call that is charged for a budget, a count and a rate. After these faults what was charged before may be forgotten: it
counts as used until its window is over, or until an operator says `aegis limits reset`.
"""
_HEADS = {_GOES_ON: (_GOING_ON, _GOES_ON_WORDS), "Limits": (LIMITED, _LIMITED_WORDS)}


@dataclass
class Table:
    """The rows measured in this run, by room; each row is its cells, the first of them its name."""

    rows: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def denied(self, room: str, name: str, seen: Mapping[Door, Seen]) -> None:
        """Note how a fault was answered at each door, and hold it against the page."""
        reasons = sorted({one.reason for one in seen.values()})
        times = [one.ms for one in seen.values() if one.ms is not None]
        recorded = "yes" if len(times) == len(seen) else "no" if not times else "in part"
        doors = (f"{seen[door].status} {seen[door].form}" if door in seen else "-" for door in DOORS)
        slowest = f"{max(times):.1f}" if times else "-"
        self._note(room, (name, ", ".join(f"`{reason}`" for reason in reasons), *doors, recorded, slowest), timed=True)

    def limited(self, room: str, name: str, seen: Seen) -> None:
        """Note how a charged call was answered, and hold it against the page."""
        slowest = "-" if seen.ms is None else f"{seen.ms:.1f}"
        cells = (name, f"`{seen.reason}`", f"{seen.status} {seen.form}", "yes" if seen.recorded else "no", slowest)
        self._note(room, cells, timed=True)

    def going_on(self, name: str, good: Seen, forbidden: Seen) -> None:
        """Note a fault under which calls are judged as before, and hold it against the page."""
        recorded = "yes" if good.recorded and forbidden.recorded else "no"
        self._note(_GOES_ON, (name, f"`{good.reason}`", f"`{forbidden.reason}`", recorded), timed=False)

    def save(self) -> None:
        """Write the page, when the environment says so."""
        if WRITE in os.environ:
            PAGE.write_text(self._page(), "utf-8")

    def _note(self, room: str, row: tuple[str, ...], *, timed: bool) -> None:
        self.rows.setdefault(room, []).append(row)
        if WRITE not in os.environ:
            end = -1 if timed else None
            there = [cells[:end] for cells in rows_of_page() if cells[0] == row[0]]
            assert there == [row[:end]], "docs/fail-closed.md is not current: make docs-fail-closed"

    def _page(self) -> str:
        parts = [_INTRODUCTION]
        for room, rows in self.rows.items():
            head, words = _HEADS.get(room, (DENIED, ""))
            parts += [f"## {room}\n", *([words] if words else [])]
            parts.append(_markdown(head, rows))
        return "\n".join(parts)


def rows_of_page() -> list[tuple[str, ...]]:
    """Every row of every table of the page, without the heads."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [row for row in rows if row[0] not in (DENIED[0], "---")]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
