"""Write the figures of `aegis size` from the benchmark's page and the newest `benchmarks.footprint`, and the tables of
docs/sizing.md from them (`make docs-sizing`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from aegis_authz.cli.size import sizing_rows
from aegis_authz.load import sizing
from benchmarks.report.pages import page_with
from benchmarks.report.tables import END, START

ROOT = Path(__file__).resolve().parents[1]
PERFORMANCE = ROOT / "docs" / "performance.md"
PAGE = ROOT / "docs" / "sizing.md"
FIGURES = ROOT / "src" / "aegis_authz" / "load" / "figures.json"
FOOTPRINT = ROOT / "benchmarks" / "out" / "footprint.json"
DEMANDS = (sizing.Demand(10, 10, 60), sizing.Demand(1_000, 500, 60), sizing.Demand(10_000, 5_000, 60))
_FOOTPRINT = ("record", "key", "keys", "redis_traffic", "resident_mib")


def benchmark_figures(page: str) -> dict[str, dict[str, float]]:
    """CPU by part and OPA's memory, as the page of the benchmark says them. Raises ValueError where it does not."""
    row = re.search(r"(?m)^\| Aegis \(http2\) \| closed \|(.*)\|$", page)
    memory = re.search(r"OPA's memory: ([^|]*?) \|", page)
    if row is None or memory is None:
        raise ValueError(f"{PERFORMANCE} says no cost of Aegis (http2), or nothing of OPA's memory")
    cells = [cell.strip() for cell in row[1].split("|")]
    points = re.findall(r"([0-9,]+) policies ([0-9]+) MiB", memory[1])
    return {
        "cpu_us": dict(zip(("authz", "opa", "redis", "envoy"), map(float, cells[7:11]), strict=True)),
        "opa_mib": {policies.replace(",", ""): float(mib) for policies, mib in points},
    }


def tables(measured: sizing.Figures) -> str:
    """The tables of the page: a column for each demand."""
    meshes = [dict(sizing_rows(sizing.size(demand, measured))) for demand in DEMANDS]
    head = [f"{demand.rps:,.0f} calls/s, {demand.agents:,} agents" for demand in DEMANDS]
    lines = [("", *head), ("---", *["---"] * len(head))]
    lines += [(name, *(mesh[name] for mesh in meshes)) for name in meshes[0]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page_text(page: str, measured: sizing.Figures) -> str:
    """The page with the tables of these figures."""
    return page_with(page, START, END, tables(measured))


def main() -> None:
    """Write both."""
    footprint = FOOTPRINT if FOOTPRINT.exists() else FIGURES
    bytes_of_a_call = json.loads(footprint.read_text("utf-8"))
    content = benchmark_figures(PERFORMANCE.read_text("utf-8")) | {key: bytes_of_a_call[key] for key in _FOOTPRINT}
    FIGURES.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page_text(PAGE.read_text("utf-8"), sizing.figures()), "utf-8")


if __name__ == "__main__":
    main()
