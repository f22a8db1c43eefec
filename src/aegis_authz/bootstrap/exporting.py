"""Where spans go."""

from __future__ import annotations

import os
from collections.abc import Callable

from aegis_authz.adapters.otlp import Collector, Protocol, sender_of
from aegis_authz.adapters.span_queue import ExportQueue
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.telemetry.conventions import SCOPE
from aegis_authz.telemetry.exports import ExportMetrics
from aegis_authz.telemetry.otlp import export_request, rejected_spans, resource_frame
from aegis_authz.telemetry.parameter_values import Keys
from aegis_authz.telemetry.spans import DecisionSpans, SpanTerms

SERVICE = "aegis-authz"

OTLP_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The variable of the environment that says where spans go, where the settings do not (OpenTelemetry's own name)."""


class ExportUnusable(Exception):
    """A file of the collector's TLS cannot be read; the message is fit to show."""


def span_endpoint(setting: str) -> str:
    """Where spans go: what the settings say, else the environment; "" for nowhere."""
    return setting or os.environ.get(OTLP_VARIABLE, "")


def span_export(
    settings: AuthzSettings, keys: Keys, metrics: ExportMetrics
) -> tuple[DecisionSpans, Callable[[], None]] | None:
    """What makes spans, and what exports those that wait and hangs up; None without an endpoint.

    Raises ExportUnusable.
    """
    endpoint = span_endpoint(settings.otlp_endpoint)
    if not endpoint:
        return None
    telemetry = settings.telemetry
    collector = Collector(
        endpoint,
        Protocol(telemetry.protocol),
        telemetry.headers,
        telemetry.ca,
        telemetry.certificate,
        telemetry.key,
    )
    try:
        export = sender_of(collector, rejected_spans)
    except OSError as fault:
        raise ExportUnusable(f"telemetry: {fault}") from None
    resource = resource_frame({"service.name": SERVICE, "deployment.environment.name": settings.environment})
    queue = ExportQueue(export, lambda spans: export_request(resource, SCOPE, spans), metrics)

    def end() -> None:
        queue.close()
        export.close()

    return DecisionSpans(queue, SpanTerms(telemetry.sample, telemetry.guardrails, keys)), end
