"""The caller's span, as W3C Trace Context names it in one line."""

from __future__ import annotations

import re

from opentelemetry.trace import SpanContext, TraceFlags

_LONGEST = 512
_TRACEPARENT = re.compile(r"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*|[ \t]*)$")


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
