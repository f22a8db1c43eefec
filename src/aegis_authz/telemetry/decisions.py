"""Spans and metrics of decisions. Strings of unsettled conventions stand here and nowhere else.

Span: one `aegis.check` a call, child of Envoy's; attributes `aegis.*` and, for MCP, those of the
OpenTelemetry GenAI/MCP conventions. Metrics: Prometheus.
"""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Histogram

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import DecisionRecord

_LATENCY_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25)
_PROPAGATOR = TraceContextTextMapPropagator()


class DecisionTelemetry:
    """`ports.Telemetry`: a span through `tracer`, counters and a latency histogram in `registry`."""

    def __init__(self, tracer: Tracer, registry: CollectorRegistry | None) -> None:
        self._tracer = tracer
        names = ["effect", "reason"]
        self._decisions = Counter("aegis_decisions", "Decisions made.", names, registry=registry)
        self._would = Counter(
            "aegis_shadow_decisions", "What shadow policies would have done.", ["effect"], registry=registry
        )
        self._seconds = Histogram(
            "aegis_decision_seconds",
            "Time from arrival to record.",
            ["effect"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._stages = Histogram(
            "aegis_stage_seconds", "Time of one stage.", ["stage"], buckets=_LATENCY_BUCKETS, registry=registry
        )

    def decided(self, record: DecisionRecord, traceparent: str) -> None:
        """Count the decision and emit its span."""
        self._decisions.labels(record.effect.value, record.reason.value).inc()
        self._seconds.labels(record.effect.value).observe(record.total_ms / 1000)
        for stage, milliseconds in record.stages.items():
            self._stages.labels(stage).observe(milliseconds / 1000)
        if record.would:
            self._would.labels(record.would).inc()
        self._span(record, traceparent)

    def _span(self, record: DecisionRecord, traceparent: str) -> None:
        parent = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else None
        started = int(record.time * 1e9)
        span = self._tracer.start_span("aegis.check", context=parent, kind=SpanKind.SERVER, start_time=started)
        if span.is_recording():
            span.set_attributes(_attributes(record))
            if record.effect is Effect.DENY:
                span.add_event("PolicyViolation", {"aegis.reason": record.reason.value})
                span.set_status(Status(StatusCode.OK))
        span.end(started + int(record.total_ms * 1e6))


def tracer_provider(service: str, environment: str, processor: SpanProcessor | None) -> TracerProvider:
    """A provider that hands its spans to `processor`; with None nothing is kept."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "deployment.environment.name": environment})
    )
    if processor is not None:
        provider.add_span_processor(processor)
    return provider


def _attributes(record: DecisionRecord) -> dict[str, str | float | tuple[str, ...]]:
    attributes: dict[str, str | float | tuple[str, ...]] = {
        "aegis.decision": record.effect.value,
        "aegis.reason": record.reason.value,
        "aegis.decision_id": record.decision_id,
        "aegis.org": record.org,
        "aegis.tenant": record.tenant,
        "aegis.agent": record.agent,
        "aegis.tool": record.tool,
        "aegis.action": record.action,
        "aegis.policy": record.policies,
        "aegis.revision": record.revision,
        "aegis.would": record.would,
        "gen_ai.agent.name": record.agent,
        "gen_ai.tool.name": record.action,
        "http.request.method": record.method,
        "server.address": record.host,
    }
    attributes.update({f"aegis.stage.{stage}_ms": spent for stage, spent in record.stages.items()})
    return {name: value for name, value in attributes.items() if value not in ("", ())}
