"""A receiver of spans by OTLP/HTTP: what stands where a collector would, so that the demo can show its spans.

Source: OpenTelemetry Protocol 1.11, "OTLP/HTTP"; opentelemetry/proto/trace/v1/trace.proto.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aegis_authz.telemetry import conventions

TRACES_PATH = "/v1/traces"
"""Where OTLP/HTTP takes spans."""
_KIND = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class SpanView:
    """A span of a decision as somebody reads it: its trace, attributes as texts, names of events and of children."""

    trace_id: str
    name: str
    attributes: Mapping[str, str]
    events: tuple[str, ...]
    children: tuple[str, ...]

    @property
    def decision_id(self) -> str:
        """Of which decision it is."""
        return self.attributes.get(conventions.DECISION_ID, "")


class SpanReceiver:
    """Keeps the spans that come, in memory."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._arrival = asyncio.Condition()

    def app(self) -> Starlette:
        """The receiver, to be served."""
        return Starlette(routes=[Route(TRACES_PATH, self._take, methods=["POST"])])

    async def views(self, decision_ids: Collection[str], patience: float) -> list[SpanView]:
        """The spans of these decisions, in this order, once all came; after `patience` seconds, those that did."""
        with suppress(TimeoutError):  # whoever shows them says which are missing
            async with asyncio.timeout(patience), self._arrival:
                await self._arrival.wait_for(lambda: len(self._of(decision_ids)) == len(decision_ids))
        return self._of(decision_ids)

    async def settlement(self, decision_id: str, patience: float) -> SpanView:
        """The span of what a call costs in the end, once it came. Raises TimeoutError after `patience` seconds."""

        async with asyncio.timeout(patience), self._arrival:
            await self._arrival.wait_for(lambda: self._settlements(decision_id))
            return self._settlements(decision_id)[0]

    def _of(self, decision_ids: Collection[str]) -> list[SpanView]:
        views = {view.decision_id: view for view in self._decisions()}
        return [views[decision_id] for decision_id in decision_ids if decision_id in views]

    def _settlements(self, decision_id: str) -> list[SpanView]:
        views = [_view(span, []) for span in self._spans if span.name == conventions.SETTLEMENT]
        return [view for view in views if view.decision_id == decision_id]

    def _decisions(self) -> list[SpanView]:
        children: dict[bytes, list[str]] = {}
        for span in self._spans:
            children.setdefault(span.parent_span_id, []).append(span.name)
        return [_view(span, children.get(span.span_id, [])) for span in self._spans if span.name == conventions.CHECK]

    async def _take(self, request: Request) -> Response:
        try:
            message = ExportTraceServiceRequest.FromString(await request.body())
        except DecodeError:
            return Response(status_code=400)
        async with self._arrival:
            self._spans += [
                span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans
            ]
            self._arrival.notify_all()
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type=_KIND)


def _view(span: Span, children: list[str]) -> SpanView:
    return SpanView(
        trace_id=span.trace_id.hex(),
        name=span.name,
        attributes={entry.key: _text(entry.value) for entry in span.attributes},
        events=tuple(event.name for event in span.events),
        children=tuple(sorted(children)),
    )


def _text(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "double_value":
            return f"{value.double_value:g}"
        case "array_value":
            return ", ".join(map(_text, value.array_value.values))
        case kind:
            raise ValueError(f"an attribute of the kind {kind}, which no span of a decision has")
