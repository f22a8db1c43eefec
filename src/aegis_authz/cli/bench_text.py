"""How the stages of `aegis bench` read, for people and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from aegis_authz.cli.consoles import table_console
from aegis_authz.load.stages import Stage
from aegis_authz.policy.source.problems import printable

_SHARES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))
_COLUMNS = ("offered/s", "right/s", *(f"{name} ms" for name, _ in _SHARES), "refused", "wrong", "no answer")


def show_stages(base: str, stages: Sequence[Stage]) -> None:
    """Print a line for each stage, then every reason of a refusal, a wrong answer or none."""
    table = Table(title=f"Load on {printable(base)}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("load")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for stage in stages:
        table.add_row(*_cells(stage))
    console = table_console()
    console.print(table)
    refused: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for stage in stages:
        refused.update(stage.outcome.refused)
        faults.update(stage.outcome.faults)
    for heading, counts, style in (("refused", refused, "yellow"), ("at fault", faults, "red")):
        for reason, count in counts.most_common():
            console.print(Text(f"{heading}: {count} x {printable(reason)}", style=style))


def stages_json(base: str, stages: Sequence[Stage]) -> str:
    """The same as one JSON object; times in milliseconds, null where nothing was right."""
    return json.dumps({"url": base, "stages": [_members(stage) for stage in stages]}, indent=2)


def _cells(stage: Stage) -> list[str]:
    outcome, connections = stage.outcome, stage.plan.connections
    is_closed = outcome.offered is None
    return [
        f"closed, {connections} connections" if is_closed else "open",
        "-" if outcome.offered is None else f"{outcome.offered:.0f}",
        f"{outcome.achieved:.0f}",
        *(time_text(outcome.quantile(share)) for _, share in _SHARES),
        *(str(count) for count in (outcome.turned_away, outcome.wrong, outcome.failed)),
    ]


def times_data(shares: Sequence[tuple[str, float]], quantile: Callable[[float], float]) -> dict[str, float | None]:
    """The milliseconds of these quantiles by their names, None for those that nothing is known of."""
    times = {f"{name.replace('.', '')}_ms": quantile(share) for name, share in shares}
    return {name: None if math.isnan(time) else time for name, time in times.items()}


def time_text(milliseconds: float) -> str:
    """Milliseconds for a table."""
    return "-" if math.isnan(milliseconds) else f"{milliseconds:.1f}"


def _members(stage: Stage) -> dict[str, object]:
    plan, outcome = stage.plan, stage.outcome
    return {
        "load": "closed" if outcome.offered is None else "open",
        "connections": plan.connections,
        "seconds": outcome.seconds,
        "offered": outcome.offered,
        "achieved": outcome.achieved,
        **times_data(_SHARES, outcome.quantile),
        "sent": outcome.sent,
        "right": outcome.right,
        "refused": dict(outcome.refused),
        "wrong": outcome.wrong,
        "failed": outcome.failed,
        "faults": dict(outcome.faults),
    }
