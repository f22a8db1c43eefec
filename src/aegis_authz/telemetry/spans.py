"""One span a decision. Strings of unsettled conventions stand here and nowhere else.

Span: `aegis.check`, child of Envoy's; attributes `aegis.*` and, for MCP, those of the OpenTelemetry GenAI/MCP
conventions.
"""

from __future__ import annotations

import re

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import DecisionRecord

_NAME = "aegis.check"
_LONGEST = 512
_TRACEPARENT = re.compile(r"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*|[ \t]*)$")
_SCOPE = InstrumentationScope("aegis")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
# to refuse is to work: no error of ours
_DENIED, _LET_THROUGH = Status(StatusCode.OK), Status(StatusCode.UNSET)

Attributes = dict[str, str | float | tuple[str, ...]]


def read_traceparent(text: str) -> SpanContext | None:
    """The span that `text` names; None for "" and for what the specification bids to ignore.

    Reads what the library's own propagator reads (the tests hold it to that), without the contexts it reads through.
    """
    if len(text) > _LONGEST:
        return None
    match = _TRACEPARENT.match(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest.startswith("-")):
        return None
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return context if context.is_valid else None


class DecisionSpans:
    """Makes the span of each decision, unless the caller does not sample its trace, and hands it to `processor`.

    A span is made whole from its record, after the fact. Starting, filling and ending one through a Tracer
    costs forty times as much and ends with the same values (docs/decisions/0009-telemetry-in-groups.md).
    """

    def __init__(self, processor: SpanProcessor, service: str, environment: str) -> None:
        self._processor = processor
        self._ids = RandomIdGenerator()
        self._resource = Resource.create({"service.name": service, "deployment.environment.name": environment})

    def emit(self, record: DecisionRecord, traceparent: str) -> None:
        """Emit the span of one decision, child of the W3C `traceparent` ("" for none)."""
        parent = read_traceparent(traceparent)
        if parent is not None and not parent.trace_flags.sampled:
            return
        trace_id = parent.trace_id if parent is not None else self._ids.generate_trace_id()
        started = int(record.time * 1e9)
        is_denial = record.effect is Effect.DENY
        self._processor.on_end(
            ReadableSpan(
                name=_NAME,
                context=SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED),
                parent=parent,
                resource=self._resource,
                attributes=_attributes(record),
                events=(_violation(record, started),) if is_denial else (),
                kind=SpanKind.SERVER,
                status=_DENIED if is_denial else _LET_THROUGH,
                start_time=started,
                end_time=started + int(record.total_ms * 1e6),
                instrumentation_scope=_SCOPE,
            )
        )

    def shutdown(self) -> None:
        """Export what waits."""
        self._processor.shutdown()


def _violation(record: DecisionRecord, at: int) -> Event:
    return Event("PolicyViolation", {"aegis.reason": record.reason.value}, at)


def _attributes(record: DecisionRecord) -> Attributes:
    identity = record.identity
    agent = identity.scope.agent if identity else ""
    attributes: Attributes = {
        "aegis.decision": record.effect.value,
        "aegis.reason": record.reason.value,
        "aegis.org": identity.scope.org if identity else "",
        "aegis.tenant": identity.scope.tenant if identity else "",
        "aegis.agent": agent,
        "aegis.tool": record.tool,
        "aegis.action": record.action,
        "aegis.policy": record.policies,
        "aegis.revision": record.revision,
        "aegis.would": record.would,
        "gen_ai.agent.name": agent,
        "gen_ai.tool.name": record.action,
        "http.request.method": record.method,
        "server.address": record.host,
    }
    span_attributes: Attributes = {name: value for name, value in attributes.items() if value}
    # what no two decisions share comes last: the exporter encodes what they share once
    span_attributes["aegis.decision_id"] = record.decision_id
    for stage, spent in record.stages.items():
        span_attributes[f"aegis.stage.{stage}_ms"] = spent
    return span_attributes
