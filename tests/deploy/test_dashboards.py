"""Rules and dashboards against promtool and a real Prometheus that scrapes what a worker's own classes tell."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import start_http_server

from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ChargeRecord, CostState, RedactionRecord, SettledCost, UsageRecord
from tests.support.made_records import DENIED, named
from tests.support.metric_families import WorkerMetrics, worker_metrics
from tests.support.prometheus import Prometheus, program, prometheus

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yaml"))
BOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ALERTS_TEST = Path(__file__).parent / "prometheus" / "alerts_test.yaml"
ALLOWED = replace(
    DENIED,
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
    cost=Money(1_500_000, "EUR"),
    charges=(ChargeRecord("l", "day", "p", "h", "budget", "EUR", 1, 85, 15, 100, 0, "within", "deny"),),
    stages={"decode": 0.2, "authenticate": 0.4, "parse": 0.2, "evaluate": 1.5, "settle": 0.6},
    total_ms=4.0,
)


def alerts() -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text()) for path in RULES]
    return [
        rule for document in documents for group in document["groups"] for rule in group["rules"] if "alert" in rule
    ]


def panels() -> Iterator[tuple[str, str, str]]:
    """Board, panel and query of every query of every panel."""
    for path in BOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield board["title"], panel["title"], target["expr"]


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "rules", *RULES], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_on_what_it_is_for_and_none_on_a_mesh_that_is_well() -> None:
    checked = subprocess.run(
        [program("promtool"), "test", "rules", ALERTS_TEST], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tried = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n", ALERTS_TEST.read_text()))
    assert tried == {alert["alert"] for alert in alerts()}


def test_each_alert_leads_to_its_runbook() -> None:
    books = {alert["annotations"]["runbook_url"] for alert in alerts()}
    assert books == {f"docs/runbooks/{path.name}" for path in (ROOT / "docs/runbooks").glob("*.md")}


def test_panels_have_titles_queries_and_a_place_of_their_own() -> None:
    for path in BOARDS:
        board = json.loads(path.read_text())
        assert board["uid"] == path.stem
        places = set()
        for panel in board["panels"]:
            grid = panel["gridPos"]
            cells = {(grid["x"] + across, grid["y"] + down) for across in range(grid["w"]) for down in range(grid["h"])}
            assert panel["title"]
            assert panel["datasource"]["uid"] == "prometheus"
            assert places.isdisjoint(cells)
            assert max(x for x, _ in cells) < 24
            places |= cells


def day(metrics: WorkerMetrics, hour: int) -> None:
    """Calls like those of the demo: payments, a person asked, a redaction, an attack, a store that was away."""
    for number in range(5):
        metrics.decisions.count(replace(ALLOWED, identity=named(f"agent-{number}")), f"{hour:016x}{number:016x}")
    metrics.decisions.count(DENIED, "")
    metrics.decisions.count(replace(DENIED, reason=Reason.REPLAYED, policies=()), "")
    metrics.decisions.count(replace(DENIED, reason=Reason.STORE_TIMEOUT, policies=()), "")
    metrics.decisions.count(
        replace(ALLOWED, effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED, cost=None), ""
    )
    metrics.decisions.count(replace(DENIED, quarantined_until=1_900_000_000.0), "")
    cost = SettledCost(Money(1_200_000, "EUR"), CostState.MEASURED)

    async def keep() -> None:
        await metrics.records.append(RedactionRecord("d", 1.0, "response", {"us_ssn": 2}, "done"))
        await metrics.records.append(UsageRecord("d", 1.0, (100, 0, 0, 20), cost))

    asyncio.run(keep())
    metrics.exports("exported", 3)
    metrics.write()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    metrics, ends = worker_metrics(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scraped, thread = start_http_server(0, "127.0.0.1", metrics.registry)
    folder = tmp_path_factory.mktemp("prometheus")
    config = {
        "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [
            {
                "job_name": "aegis-authz",
                "static_configs": [{"targets": [f"127.0.0.1:{scraped.server_port}"]}],
            }
        ],
    }

    def live() -> None:
        hour = 0
        while not ends.wait(0.2):
            day(metrics, hour)
            hour += 1

    life = threading.Thread(target=live)
    life.start()
    try:
        with prometheus(folder, port, yaml.safe_dump(config)) as running:
            running.await_samples("rate(aegis_decisions_total[5m]) > 0")
            running.await_samples("rate(aegis_cost_estimated_total[10m]) > 0")
            running.await_samples("aegis_records_waiting")  # a worker's own figures come each two seconds
            yield running
    finally:
        ends.set()
        life.join()
        scraped.shutdown()
        scraped.server_close()
        thread.join()


@pytest.mark.slow
def test_no_query_of_any_panel_is_without_data(server: Prometheus) -> None:
    without = [f"{board}: {panel}: {query}" for board, panel, query in panels() if not server.value_count(query)]
    assert without == []


@pytest.mark.slow
def test_prometheus_evaluates_every_rule(server: Prometheus) -> None:
    server.await_samples("aegis:stage_seconds:p99_5m")
    groups = server.ask("rules")["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
    assert sum(len(group["rules"]) for group in groups) == 29


@pytest.mark.slow
def test_no_query_names_a_metric_that_no_worker_has(server: Prometheus) -> None:
    names = set(server.ask("label/__name__/values"))
    known = names | {f"{name}_total" for name in names}
    for _, panel, query in panels():
        for name in re.findall(r"\baegis_\w+", query):
            assert name in known, f"{panel}: {name}"
