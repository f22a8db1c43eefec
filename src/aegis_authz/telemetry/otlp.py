"""Decision spans over OTLP, encoded for what they are: many spans of one shape with few values that differ.

Import only where spans are exported: xds-protos ships older copies of OpenTelemetry's messages under the same
names, and where they were installed last nothing but the exporter must fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

_REMEMBERED = 4096
_ONCE = frozenset({"aegis.decision_id"})  # never said twice
_STATUS = {
    StatusCode.UNSET: SpanStatus(code=SpanStatus.STATUS_CODE_UNSET),
    StatusCode.OK: SpanStatus(code=SpanStatus.STATUS_CODE_OK),
    StatusCode.ERROR: SpanStatus(code=SpanStatus.STATUS_CODE_ERROR),
}
_IS_LOCAL = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_IS_REMOTE = _IS_LOCAL | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


class DecisionSpanExporter(OTLPSpanExporter):
    """`OTLPSpanExporter` with an encoder of a third of the cost; what it sends is equal."""

    def _translate_data(self, data: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        return encoded(data)


def encoded(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """The export request for spans that share one resource and one scope."""
    request = encode_spans(spans[:1])  # the frame: resource, scope and schema, by the library itself
    if request.resource_spans:
        written = request.resource_spans[0].scope_spans[0].spans
        written.extend([_span(span) for span in spans[1:]])
    return request


def _span(span: ReadableSpan) -> Span:
    context, parent = span.context, span.parent
    if context is None or span.start_time is None or span.end_time is None:
        raise ValueError("a span that is not whole")
    written = Span(
        trace_id=context.trace_id.to_bytes(16, "big"),
        span_id=context.span_id.to_bytes(8, "big"),
        parent_span_id=parent.span_id.to_bytes(8, "big") if parent is not None else b"",
        name=span.name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=span.start_time,
        end_time_unix_nano=span.end_time,
        flags=_IS_REMOTE if parent is not None and parent.is_remote else _IS_LOCAL,
        status=_STATUS[span.status.status_code],
    )
    written.attributes.extend([_attribute(name, value) for name, value in (span.attributes or {}).items()])
    for event in span.events:
        kept = written.events.add(name=event.name, time_unix_nano=event.timestamp)
        kept.attributes.extend([_attribute(name, value) for name, value in (event.attributes or {}).items()])
    return written


def _attribute(name: str, value: object) -> KeyValue:
    if isinstance(value, float):
        return KeyValue(key=name, value=AnyValue(double_value=value))
    if isinstance(value, str):
        if name in _ONCE:
            return KeyValue(key=name, value=AnyValue(string_value=value))
        return _text(name, value)
    if isinstance(value, tuple):
        return _texts(name, value)
    raise TypeError(f"no encoding for {name}")


@lru_cache(_REMEMBERED)
def _text(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


@lru_cache(_REMEMBERED)
def _texts(name: str, values: tuple[str, ...]) -> KeyValue:
    array = ArrayValue(values=[AnyValue(string_value=value) for value in values])
    return KeyValue(key=name, value=AnyValue(array_value=array))
