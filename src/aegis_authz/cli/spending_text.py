"""How the load of the pack `spending` reads, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from aegis_authz.cli.bench_text import time_text, times_data
from aegis_authz.cli.consoles import table_console
from aegis_authz.core.money import MICRO
from aegis_authz.load.spending import Played
from aegis_authz.policy.source.problems import printable

_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))


def show_spending(played: Sequence[Played]) -> None:
    """Print a line for each agent, then what nobody foresaw, and whether the limits held."""
    table = Table(title="The pack spending, ten times as fast as it may", title_justify="left", box=SIMPLE_HEAD)
    for name in ("agent", "tool", "a day", "a second"):
        table.add_column(name)
    for name in ("calls", "passed", "beyond", *(f"{name} ms" for name, _ in _SHARES), "spent", "of"):
        table.add_column(name, justify="right")
    for entry in played:
        table.add_row(*_cells(entry))
    console = table_console()
    console.print(table)
    for entry in played:
        for reason, count in entry.refused.items():
            console.print(Text(f"{entry.line.agent}: {count} x {printable(reason)}"))
        for fault, count in entry.faults.items():
            console.print(
                Text(f"{entry.line.agent}: {count} x {printable(fault)}, which its table does not foresee", "red")
            )
        if entry.excess:
            console.print(Text(f"{entry.line.agent}: a limit was exceeded by {entry.excess}", style="bold red"))
    if not any(entry.excess or entry.faults for entry in played):
        console.print(Text("no limit was exceeded"))


def spending_json(played: Sequence[Played]) -> str:
    """The same as one JSON object; money in micro-units, times in milliseconds."""
    return json.dumps({"spending": [_members(entry) for entry in played]}, indent=2)


def _cells(entry: Played) -> list[str]:
    line, spent = entry.line, entry.spent
    return [
        *(line.agent, line.tool, line.budget or "-", f"{line.a_second} calls"),
        *(str(len(entry.replies)), str(entry.passed), str(sum(entry.refused.values()))),
        *(time_text(entry.quantile(share)) for _, share in _SHARES),
        *(
            ["-", "-"]
            if spent is None
            else [_money(spent.after - spent.before), f"{_money(spent.of)} {spent.currency}"]
        ),
    ]


def _money(micros: int) -> str:
    return f"{micros / MICRO:.2f}"


def _members(entry: Played) -> dict[str, object]:
    line, spent = entry.line, entry.spent
    return {
        "agent": line.agent,
        "tool": line.tool,
        "sent": len(entry.replies),
        "passed": entry.passed,
        "refused": dict(entry.refused),
        "faults": dict(entry.faults),
        **times_data(_SHARES, entry.quantile),
        "spent": None if spent is None else spent.after - spent.before,
        "used": None if spent is None else spent.after,
        "budget": None if spent is None else spent.of,
        "currency": "" if spent is None else spent.currency,
        "excess": entry.excess,
    }
