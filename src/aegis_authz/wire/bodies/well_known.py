"""The types of google.protobuf that have a JSON form of their own (Protocol Buffers, "ProtoJSON Format")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.wire.bodies.message_bytes import Doubt

_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799  # 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z
_LONGEST = 315_576_000_000  # seconds: some 10,000 years
_NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1)  # of UTC, as all of them

Fields = Mapping[str, Json]


def _timestamp(fields: Fields) -> Json:
    seconds, nanos = _whole(fields["seconds"]), _whole(fields["nanos"])
    if not _EARLIEST <= seconds <= _LATEST or not 0 <= nanos < _NANOS:
        raise Doubt("A time is none of the years 1 to 9999, or has a fraction that is none.")
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment.isoformat()}{_fraction(nanos)}Z"


def _duration(fields: Fields) -> Json:
    seconds, nanos = _whole(fields["seconds"]), _whole(fields["nanos"])
    if abs(seconds) > _LONGEST or abs(nanos) >= _NANOS or seconds * nanos < 0:
        raise Doubt("A duration is longer than 10,000 years, or has a fraction that is none or of the other sign.")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _fraction(nanos: int) -> str:
    """Three, six or nine digits, as few as hold it."""
    if not nanos:
        return ""
    digits = f"{nanos:09}"
    return "." + (digits[:3] if nanos % 1_000_000 == 0 else digits[:6] if nanos % 1_000 == 0 else digits)


def _whole(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError("not of the shape that the compiler held it to")
    return value


def _wrapped(fields: Fields) -> Json:
    return fields["value"]


def _struct(fields: Fields) -> Json:
    return fields["fields"]


def _list(fields: Fields) -> Json:
    return fields["values"]


def _value(fields: Fields) -> Json:
    if not fields:
        raise Doubt("A google.protobuf.Value holds no value.")
    kind, value = next(iter(fields.items()))
    return None if kind == "null_value" else value


_WRAPPERS = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")

WELL_KNOWN: Mapping[str, Callable[[Fields], Json]] = MappingProxyType(
    {
        "google.protobuf.Timestamp": _timestamp,
        "google.protobuf.Duration": _duration,
        "google.protobuf.Struct": _struct,
        "google.protobuf.ListValue": _list,
        "google.protobuf.Value": _value,
        **{f"google.protobuf.{name}Value": _wrapped for name in _WRAPPERS},
    }
)
"""By full name: what the fields of such a message are in JSON. They raise Doubt with a sentence for the caller."""
