"""Envoy's access log messages: what became of the calls that were let through.

Source: envoy/service/accesslog/v3/als.proto and envoy/data/accesslog/v3/accesslog.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_authz import COST_METADATA, DECISION_METADATA, TRACE_METADATA
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE

LOG_SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
LOG_METHOD: Final = f"/{LOG_SERVICE}/StreamAccessLogs"
LOG_REPLY: Final = bytes(als_pb2.StreamAccessLogsResponse().SerializeToString())
"""The one answer to a stream, at its end."""

_MOST_DETAILS = 256
_FLAGS = tuple(field.name for field in accesslog_pb2.ResponseFlags.DESCRIPTOR.fields if field.type == field.TYPE_BOOL)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What Envoy says of a request that is over.

    `cost` is what ext_authz noted of its price, "" for none, and `trace` the span that its decision continued, "" for a
    trace of its own, None where that is not known. `status` is 0 where nothing was answered. `flags` are the
    names of response flags. `was_reached` says that something was sent to the tool. Bytes are those of bodies.
    `upstream_ms` is the time from the first byte sent to the tool until the first of its answer, None without one.
    """

    decision_id: str
    cost: str
    trace: str | None
    ended_at: float
    status: int
    details: str
    flags: tuple[str, ...]
    was_reached: bool
    request_bytes: int
    response_bytes: int
    upstream_ms: float | None
    duration_ms: float


def read_log(message: bytes) -> list[LogEntry]:
    """The entries of one message that have a decision. Raises Refused(REQUEST_UNREADABLE) for bytes that are none."""
    log = als_pb2.StreamAccessLogsMessage()
    try:
        log.ParseFromString(message)
    except DecodeError:
        raise Refused(Reason.REQUEST_UNREADABLE, "not a StreamAccessLogsMessage") from None
    return list(_entries(log))


def _entries(log: als_pb2.StreamAccessLogsMessage) -> Iterator[LogEntry]:
    for entry in log.http_logs.log_entry:
        common, response = entry.common_properties, entry.response
        if METADATA_NAMESPACE not in common.metadata.filter_metadata:
            continue
        noted = common.metadata.filter_metadata[METADATA_NAMESPACE].fields
        decision_id = noted[DECISION_METADATA].string_value if DECISION_METADATA in noted else ""
        if not decision_id:
            continue
        duration = _seconds(common.duration)
        yield LogEntry(
            decision_id=decision_id,
            cost=noted[COST_METADATA].string_value if COST_METADATA in noted else "",
            trace=noted[TRACE_METADATA].string_value if TRACE_METADATA in noted else "",
            ended_at=round(common.start_time.seconds + common.start_time.nanos / 1e9 + duration, 6),
            status=response.response_code.value,
            details=response.response_code_details[:_MOST_DETAILS],
            flags=_flags(common),
            was_reached=common.HasField("time_to_first_upstream_tx_byte"),
            request_bytes=entry.request.request_body_bytes,
            response_bytes=response.response_body_bytes,
            upstream_ms=_upstream_ms(common),
            duration_ms=round(duration * 1000, 3),
        )


def _flags(common: accesslog_pb2.AccessLogCommon) -> tuple[str, ...]:
    if not common.HasField("response_flags"):
        return ()
    return tuple(name for name in _FLAGS if getattr(common.response_flags, name))


def _upstream_ms(common: accesslog_pb2.AccessLogCommon) -> float | None:
    if not common.HasField("time_to_first_upstream_tx_byte") or not common.HasField("time_to_first_upstream_rx_byte"):
        return None
    took = _seconds(common.time_to_first_upstream_rx_byte) - _seconds(common.time_to_first_upstream_tx_byte)
    return round(max(took, 0.0) * 1000, 3)


def _seconds(duration: Duration) -> float:
    return float(duration.seconds + duration.nanos / 1e9)
