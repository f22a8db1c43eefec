"""W3C Trace Context as it is read, and the ids that spans get."""

from __future__ import annotations

import hashlib
import re
from random import getrandbits
from typing import NamedTuple

_LONGEST = 512
_TRACEPARENT = re.compile(r"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*|[ \t]*)$")
_NOTHING = ("0" * 32, "0" * 16)
_UUID = re.compile("[0-9a-f]{32}")
_UUID_END = re.compile("[0-9a-f-]{19}([0-9a-f]{4})-([0-9a-f]{12})")
_SAMPLED = 1


class TraceParent(NamedTuple):
    """The span that a `traceparent` names."""

    trace_id: bytes
    span_id: bytes
    is_sampled: bool


def read_traceparent(text: str) -> TraceParent | None:
    """The span that `text` names; None for "" and for what the specification bids to ignore.

    Reads what OpenTelemetry's own propagator reads (the tests hold it to that).
    """
    if not text or len(text) > _LONGEST:
        return None
    match = _TRACEPARENT.match(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest.startswith("-")) or (trace_id in _NOTHING or span_id in _NOTHING):
        return None
    return TraceParent(bytes.fromhex(trace_id), bytes.fromhex(span_id), bool(int(flags, 16) & _SAMPLED))


def own_trace(decision_id: str) -> bytes:
    """The trace of a decision that continues no other's: its id, a UUID, is that of the trace."""
    digits = decision_id.replace("-", "")
    if _UUID.fullmatch(digits):
        return bytes.fromhex(digits)
    return hashlib.blake2b(decision_id.encode("utf-8", "replace"), digest_size=16).digest()


def decision_span(decision_id: str) -> bytes:
    """The id of a decision's own span, which whoever settles its cost knows by the decision's id alone."""
    # of a UUID of version 7 its last eight bytes are drawn, and begin with the bits of its variant
    match = _UUID_END.fullmatch(decision_id)
    return bytes.fromhex(match[1] + match[2]) if match is not None else own_trace(decision_id)[8:]


def new_span_id() -> bytes:
    """A fresh id, never all zeros."""
    return (getrandbits(64) or 1).to_bytes(8, "big")


def is_drawn(trace_id: bytes, ratio: float) -> bool:
    """Whether a trace is among those that are kept: by its last seven bytes, as every sampler decides alike.

    Source: W3C Trace Context, "Random Trace ID Flag", and OpenTelemetry, "Consistent Probability Sampling".
    """
    return ratio >= 1 or int.from_bytes(trace_id[9:], "big") < ratio * 2**56
