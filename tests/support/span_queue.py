"""A queue of spans that keeps them, read by the library's own messages."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class SpanMemory:
    """Keeps what it is given; `spans` are all of them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, spans: Sequence[bytes]) -> None:
        """Keep them."""
        self.spans += map(Span.FromString, spans)


def attributes_of(attributes: Sequence[KeyValue]) -> dict[str, str | float | tuple[str, ...]]:
    """The attributes by their names; each name must be there once."""
    values = {attribute.key: _value(attribute.value) for attribute in attributes}
    assert len(values) == len(attributes)
    return values


def _value(value: AnyValue) -> str | float | tuple[str, ...]:
    match value.WhichOneof("value"):
        case "string_value":
            return str(value.string_value)
        case "double_value":
            return float(value.double_value)
        case "array_value":
            return tuple(str(entry.string_value) for entry in value.array_value.values)
    raise AssertionError(f"no value that is expected: {value}")
