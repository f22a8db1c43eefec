"""docs/metrics.md against the metrics that there are: `make docs-metrics` writes its tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from aegis_authz.telemetry.control_gauges import ControlGauges
from aegis_authz.telemetry.oversight import NoticeMetrics, OversightMetrics
from aegis_authz.telemetry.reconciliation import ReconciliationMetrics
from tests.support.metric_families import worker_metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
_TABLE = re.compile(r"(<!-- (\w+): written by make docs-metrics -->\n).*?(<!-- end of \w+ -->)", re.DOTALL)


def _rows(registries: Iterable[CollectorRegistry]) -> str:
    collectors = {collector for registry in registries for collector in registry._collector_to_names}
    metrics = sorted((c for c in collectors if isinstance(c, MetricWrapperBase)), key=lambda metric: metric._name)
    lines = ["| metric | type | labels | what it is |", "|---|---|---|---|"]
    for metric in metrics:
        name = f"{metric._name}_total" if metric._type == "counter" else metric._name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        lines.append(f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |")
    return "\n".join(lines) + "\n"


def _written(page: str) -> str:
    control = CollectorRegistry()
    NoticeMetrics(control)
    joined = ReconciliationMetrics().registry
    tables = {
        "worker": _rows([worker_metrics().registry]),
        "control": _rows([control, OversightMetrics().registry, ControlGauges().registry, joined]),
    }
    return _TABLE.sub(lambda table: table[1] + tables[table[2]] + table[3], page)


def test_the_page_has_every_metric_and_no_other() -> None:
    page = PAGE.read_text("utf-8")
    if os.environ.get("AEGIS_WRITE_DOCS"):
        PAGE.write_text(_written(page), "utf-8")
    assert PAGE.read_text("utf-8") == _written(page)
    assert len(_TABLE.findall(page)) == 2
