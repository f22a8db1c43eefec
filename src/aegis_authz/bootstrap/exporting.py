"""Where spans go."""

from __future__ import annotations

import os

from opentelemetry.sdk.trace.export import BatchSpanProcessor

_QUEUE = 16_384
_DELAY = 250.0
_BATCH = 128
"""Spans encoded in one go: the exporter's thread holds up checks meanwhile, and 512 of them showed in their p99."""

OTLP_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The variable of the environment that says where spans go, where the settings do not (OpenTelemetry's own name)."""


class ExporterBroken(Exception):
    """The OTLP exporter cannot be loaded; the message says how to mend the installation."""


def span_endpoint(setting: str) -> str:
    """Where spans go: what the settings say, else the environment; "" for nowhere."""
    return setting or os.environ.get(OTLP_VARIABLE, "")


def span_processor(endpoint: str) -> BatchSpanProcessor | None:
    """Batches spans to an OTLP/gRPC `endpoint`; None for "". Raises ExporterBroken."""
    if not endpoint:
        return None
    try:
        # Here and not above: xds-protos ships older copies of OpenTelemetry's messages under the same names, and
        # where they were installed last nothing but the exporter must fail.
        from aegis_authz.telemetry.otlp import DecisionSpanExporter
    except ImportError as fault:
        raise ExporterBroken(
            f"the OTLP exporter cannot be loaded ({fault}); other packages overwrote its files, reinstall it with: "
            "pip install --force-reinstall --no-deps opentelemetry-proto"
        ) from None
    # what does not fit is dropped and counted by the SDK, never waited for: the record is the evidence, not the span
    return BatchSpanProcessor(
        DecisionSpanExporter(endpoint=endpoint),
        max_queue_size=_QUEUE,
        schedule_delay_millis=_DELAY,
        max_export_batch_size=_BATCH,
    )
