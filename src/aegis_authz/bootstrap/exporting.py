"""Where spans go."""

from __future__ import annotations

from opentelemetry.sdk.trace.export import BatchSpanProcessor


class ExporterBroken(Exception):
    """The OTLP exporter cannot be loaded; the message says how to mend the installation."""


def span_processor(endpoint: str) -> BatchSpanProcessor | None:
    """Batches spans to an OTLP/gRPC `endpoint`; None for "". Raises ExporterBroken."""
    if not endpoint:
        return None
    try:
        # Here and not above: xds-protos ships older copies of OpenTelemetry's messages under the same names, and
        # where they were installed last nothing but the exporter must fail.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    except ImportError as fault:
        raise ExporterBroken(
            f"the OTLP exporter cannot be loaded ({fault}); other packages overwrote its files, reinstall it with: "
            "pip install --force-reinstall --no-deps opentelemetry-proto"
        ) from None
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))
