from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aegis_authz.bootstrap.exporting import OTLP_VARIABLE, ExportUnusable, span_endpoint, span_export
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.money import Money
from aegis_authz.core.record import CostState, SettledCost
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.telemetry_terms import UNSAID
from aegis_authz.telemetry.exports import ExportMetrics
from tests.support.made_records import DENIED
from tests.support.otlp_collector import grpc_collector, http_collector
from tests.support.span_queue import attributes_of

SETTINGS = """
listen: "unix:/tmp/a-{worker}"
opa_socket: /tmp/opa
redis: redis://localhost
records: /tmp/records
record_key: /tmp/record.pem
session_keys: /tmp/session
metrics: 127.0.0.1:1
metrics_dir: /tmp/metrics
ready_socket: /tmp/ready
environment: test
"""


def settings(tmp_path: Path, words: str) -> AuthzSettings:
    file = tmp_path / "authz.yaml"
    file.write_text(SETTINGS + words)
    return load_settings(file, AuthzSettings)


def keys() -> tuple[bytes, ...]:
    return (b"k" * 32,)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_spans_arrive_at_a_collector_with_the_headers_that_a_file_holds(tmp_path: Path, protocol: str) -> None:
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text("top-secret\n")
    words = f"telemetry: {{protocol: {protocol}, headers: {{x-api-key: {{file: {tmp_path / 'key'}}}}}}}\n"
    collector: Any = grpc_collector if protocol == "grpc" else http_collector
    registry = CollectorRegistry()
    with collector() as (receiver, url):
        export = span_export(settings(tmp_path, f"otlp_endpoint: {url}\n{words}"), keys, ExportMetrics(registry))
        assert export is not None
        spans, end = export
        spans.emit(DENIED, DecisionTrace("", (), UNSAID))
        receiver.await_requests(1)
        end()
    assert [span.name for span in receiver.spans] == ["aegis.check", "opa evaluate"]
    assert receiver.headers[0]["x-api-key"] == "top-secret"
    resource = receiver.requests[0].resource_spans[0].resource
    assert attributes_of(resource.attributes) == {
        "service.name": "aegis-authz",
        "deployment.environment.name": "test",
    }
    assert registry.get_sample_value("aegis_spans_total", {"outcome": "exported"}) == 2


@pytest.mark.parametrize("collector", [grpc_collector, http_collector])
def test_the_span_of_a_settled_cost_arrives_in_the_trace_of_its_decision(tmp_path: Path, collector: Any) -> None:
    protocol = "grpc" if collector is grpc_collector else "http"
    record = replace(DENIED, decision_id="01999999-aaaa-7bbb-8ccc-ddddeeeeffff", stages={})
    identity = record.identity
    assert identity is not None
    cost = SettledCost(Money(1, "EUR"), CostState.MEASURED)
    call = SettledCall(record.decision_id, identity.scope, "", record.time + 2, Money(2, "EUR"), cost)
    registry = CollectorRegistry()
    with collector() as (receiver, url):
        words = f"otlp_endpoint: {url}\ntelemetry: {{protocol: {protocol}}}\n"
        export = span_export(settings(tmp_path, words), keys, ExportMetrics(registry))
        assert export is not None
        spans, end = export
        spans.emit(record, DecisionTrace("", (), UNSAID))
        receiver.await_requests(1)  # exported with its decision, long before the cost is known
        spans.emit_settled(call)
        receiver.await_requests(1)
        end()
    check, settled = receiver.spans
    assert (check.name, settled.name) == ("aegis.check", "aegis.settle")
    assert (settled.trace_id, settled.parent_span_id) == (check.trace_id, check.span_id)
    assert settled.start_time_unix_nano > check.end_time_unix_nano
    assert registry.get_sample_value("aegis_spans_total", {"outcome": "exported"}) == 2


def test_without_an_endpoint_nothing_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OTLP_VARIABLE, raising=False)
    assert span_export(settings(tmp_path, ""), keys, ExportMetrics(CollectorRegistry())) is None


def test_a_file_of_tls_that_is_missing_is_named(tmp_path: Path) -> None:
    words = f"otlp_endpoint: https://localhost:1\ntelemetry: {{ca: {tmp_path / 'missing.pem'}}}\n"
    with pytest.raises(ExportUnusable, match=r"missing\.pem"):
        span_export(settings(tmp_path, words), keys, ExportMetrics(CollectorRegistry()))


def test_the_environment_says_where_spans_go_where_the_settings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OTLP_VARIABLE, raising=False)
    assert span_endpoint("") == ""
    monkeypatch.setenv(OTLP_VARIABLE, "http://collector:4317")
    assert span_endpoint("") == "http://collector:4317"
    assert span_endpoint("http://own:4317") == "http://own:4317"
