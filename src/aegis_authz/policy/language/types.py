"""The small types of which documents and catalogues are made, each with its own message."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from functools import cache
from ipaddress import ip_network
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from aegis_authz.core.alert import ALERTING, EVERY_REFUSAL
from aegis_authz.core.effect import Effect
from aegis_authz.core.notice import LOG_PLACE, ChannelKind
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.scope import NAME
from aegis_authz.encoding.pointer import is_pointer
from aegis_authz.policy.source.problems import did_you_mean, quoted

ANY = "*"
"""Every org, tenant, agent or action."""

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\Z")
_NAME_START = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_HOURS = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])\Z")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
# what routes, frames or authenticates a request, or speaks for Aegis
_GUARDED_HEADERS = frozenset(
    (
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "forwarded",
        "traceparent",
    )
)
_CHANNELS = [kind.value for kind in ChannelKind]
_CHANNEL_PLACE = re.compile(rf"({'|'.join(_CHANNELS)}):[!-~]{{1,200}}\Z")
_REASONS = frozenset(reason.value for reason in Reason)
_ALERT_CAUSES = [EVERY_REFUSAL, *sorted(reason.value for reason in ALERTING)]
_GUARDED_PREFIXES = ("x-aegis-", "x-envoy-", "x-forwarded-", "mcp-")

Scalar = str | bool | int | float


@dataclass(frozen=True, slots=True)
class ParameterReference:
    """Another parameter of the same call, against which one is compared."""

    parameter: str


Operand = Scalar | ParameterReference
NumberOperand = int | float | ParameterReference


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _unique(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    if len({(type(value), value) for value in values}) != len(values):
        raise ValueError("names something twice")
    return values


def _not_empty(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    if not values:
        raise ValueError("must not be empty")
    return values


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a number")
    return value


def _scalar(value: object) -> Scalar:
    if not isinstance(value, str | bool | int | float):
        raise ValueError("must be a text, a number, true or false")  # noqa: TRY004  # pydantic wants ValueError
    return value


def _words(value: str) -> str:
    if not value.isprintable() or value != value.strip() or not 0 < len(value) <= 256:
        raise ValueError("must be 1 to 256 printable characters without spaces around them")
    return value


def _channel_place(value: str) -> str:
    if _CHANNEL_PLACE.match(value) is None:
        kinds = f"{':, '.join(_CHANNELS[:-1])}: or {_CHANNELS[-1]}:"
        raise ValueError(f"must be {kinds}, and the place, such as slack:#finance")
    return value


def _alert_place(value: str) -> str:
    if value == LOG_PLACE:
        return value
    if _CHANNEL_PLACE.match(value) is None:
        kinds = f"{LOG_PLACE}, or {':, '.join(_CHANNELS[:-1])}: or {_CHANNELS[-1]}:"
        raise ValueError(f"must be {kinds} and the place, such as slack:#security")
    return value


def _alert_cause(value: str) -> str:
    if value in _ALERT_CAUSES:
        return value
    if value == Reason.APPROVAL_NEEDED.value:
        raise ValueError("is told of by approval: {notify: [...]} of the rule that holds the call")
    if value in _REASONS:
        is_refusal = REASONS[Reason(value)].effect is Effect.DENY
        raise ValueError("comes before any agent is known" if is_refusal else "refuses nothing")
    near = did_you_mean(value, _ALERT_CAUSES)
    raise ValueError(
        f"{quoted(value)} is neither a reason of docs/reasons.md for which calls are denied nor deny{near}"
    )


def _name(value: str) -> str:
    if NAME.match(value) is None:
        raise ValueError("must be lower-case letters and digits, with . _ - between them, at most 63")
    return value


def _name_or_glob(value: str) -> str:
    if value == ANY:
        return value
    stem = value[:-1] if value.endswith(ANY) else value
    if _NAME_START.match(stem) is None or (stem == value and NAME.match(value) is None):
        raise ValueError(
            "must be lower-case letters and digits, with . _ - between them, at most 63; "
            "a group is the beginning its names share and one * after it, such as finance-*"
        )
    return value


def host_name(value: str) -> str:
    """A host name in lower case. Raises ValueError for a URL, a port, a wildcard or anything else."""
    lowered = value.lower()
    if _HOST.match(lowered) is None:
        raise ValueError(f"{quoted(value)} is not a host name (no scheme, port or path)")
    return lowered


def _host_pattern(value: str) -> str:
    return f"*.{host_name(value[2:])}" if value.startswith("*.") else host_name(value)


def pointer(value: str) -> str:
    """A JSON pointer below the root (RFC 6901). Raises ValueError for anything else."""
    if not value or not is_pointer(value):
        raise ValueError(f"{quoted(value)} is not a JSON pointer such as /patient/notes")
    return value


def _operand(value: object) -> Operand:
    return _reference(value) if isinstance(value, dict) else _scalar(value)


def _number_operand(value: object) -> NumberOperand:
    return _reference(value) if isinstance(value, dict) else _number(value)


def _reference(value: dict[object, object]) -> ParameterReference:
    name = value.get("parameter")
    if value.keys() != {"parameter"} or not isinstance(name, str):
        raise ValueError("must be a value, or {parameter: name} to compare with another parameter")
    return ParameterReference(_words(name))


def _zone(value: str) -> str:
    if value not in _zones():
        raise ValueError(f"{quoted(value)} is not a time zone of the IANA list, such as Europe/Berlin")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat() if _DAY.match(value) else _no_day(value)
    except ValueError:
        return _no_day(value)


def _no_day(value: str) -> str:
    raise ValueError(f"{quoted(value)} is not a day such as 2026-12-25") from None


def _hours(value: str) -> str:
    match = _HOURS.match(value)
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if end > 24 * 60 or start >= end:
        raise ValueError(
            f"{quoted(value)} is not a span of one day such as 09:00-17:30 (24:00 ends a day; "
            "for a night write two windows)"
        )
    return value


def _range(value: str) -> str:
    try:
        network = ip_network(value)
        if "%" in value:  # a zone, which says something on one machine alone; OPA could read no range of the list
            raise ValueError
        return str(network)
    except ValueError:
        raise ValueError(f"{quoted(value)} is not an address range such as 10.0.0.0/8 or 2001:db8::/32") from None


def _header_prefix(value: str) -> str:
    return value if value == "" else _header_value(value.rstrip(" ")) + " " * value.endswith(" ")


def _json_schema(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        raise ValueError("must be a JSON Schema, a mapping that is not empty")
    return value


def _one_or_more(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


def _header_name(value: str) -> str:
    lowered = value.lower()
    if _HEADER_NAME.match(lowered) is None:
        raise ValueError(f"{quoted(value)} is not a header name (RFC 9110)")
    if lowered in _GUARDED_HEADERS or lowered.startswith(_GUARDED_PREFIXES):
        raise ValueError(f"{quoted(value)} is not for policies to set")
    return lowered


def _header_value(value: str) -> str:
    if not value.isascii() or not value.isprintable() or value != value.strip() or not 0 < len(value) <= 1024:
        raise ValueError("must be 1 to 1024 printable ASCII characters without spaces around them")
    return value


LISTED = BeforeValidator(_listed)
ONE_OR_MORE = BeforeValidator(_one_or_more)
UNIQUE = AfterValidator(_unique)
NOT_EMPTY = AfterValidator(_not_empty)

_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}
_REFERENCE_SCHEMA = {
    "type": "object",
    "properties": {"parameter": {"type": "string"}},
    "required": ["parameter"],
    "additionalProperties": False,
}

Number = Annotated[int | float, PlainValidator(_number), WithJsonSchema({"type": "number"})]
AnyScalar = Annotated[Scalar, PlainValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
AnyOperand = Annotated[
    Operand, PlainValidator(_operand), WithJsonSchema({"anyOf": [_SCALAR_SCHEMA, _REFERENCE_SCHEMA]})
]
NumberOrReference = Annotated[
    NumberOperand, PlainValidator(_number_operand), WithJsonSchema({"anyOf": [{"type": "number"}, _REFERENCE_SCHEMA]})
]
Words = Annotated[str, AfterValidator(_words)]
ChannelPlace = Annotated[str, AfterValidator(_channel_place)]
AlertPlace = Annotated[str, AfterValidator(_alert_place)]
AlertCause = Annotated[str, AfterValidator(_alert_cause), WithJsonSchema({"type": "string", "enum": _ALERT_CAUSES})]
Name = Annotated[str, AfterValidator(_name)]
NameOrGlob = Annotated[str, AfterValidator(_name_or_glob)]
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
Pointer = Annotated[str, AfterValidator(pointer)]
Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]
Hours = Annotated[str, AfterValidator(_hours)]
AddressRange = Annotated[str, AfterValidator(_range)]
ParameterKind = Literal["string", "number", "integer", "boolean", "array", "object", "any"]
CatalogueKind = Literal["string", "number", "integer", "boolean", "array", "object", "file", "any"]
BodyKind = Literal["json", "form", "multipart", "ndjson", "text", "binary", "graphql", "grpc"]
ElementKind = Literal["string", "number", "integer", "boolean"]

HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
HeaderPrefix = Annotated[str, AfterValidator(_header_prefix)]
JsonSchema = Annotated[dict[str, object], PlainValidator(_json_schema), WithJsonSchema({"type": "object"})]

Scalars = Annotated[tuple[AnyScalar, ...], LISTED, NOT_EMPTY, UNIQUE]
HostPatterns = Annotated[tuple[HostPattern, ...], LISTED, NOT_EMPTY, UNIQUE]
AddressRanges = Annotated[tuple[AddressRange, ...], LISTED, NOT_EMPTY, UNIQUE]
BodyKinds = Annotated[tuple[BodyKind, ...], ONE_OR_MORE, NOT_EMPTY, UNIQUE]
