"""The small types of which documents and catalogues are made, each with its own message."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainValidator

from aegis_authz.core.identity import NAME
from aegis_authz.policy.problems import quoted

ANY = "*"
"""Every org, tenant, agent or action."""

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\Z")
_POINTER = re.compile(r"(/([^~/]|~[01])*)+\Z")

Scalar = str | bool | int | float


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _unique(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    if len({(type(value), value) for value in values}) != len(values):
        raise ValueError("names something twice")
    return values


def _some(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
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


def _name(value: str) -> str:
    if NAME.match(value) is None:
        raise ValueError("must be lower-case letters and digits, with . _ - between them, at most 63")
    return value


def _name_or_any(value: str) -> str:
    return value if value == ANY else _name(value)


def host_name(value: str) -> str:
    """A host name in lower case. Raises ValueError for a URL, a port, a wildcard or anything else."""
    lowered = value.lower()
    if _HOST.match(lowered) is None:
        raise ValueError(f"{quoted(value)} is not a host name (no scheme, port or path)")
    return lowered


def _egress_host(value: str) -> str:
    return f"*.{host_name(value[2:])}" if value.startswith("*.") else host_name(value)


def pointer(value: str) -> str:
    """A JSON pointer below the root (RFC 6901). Raises ValueError for anything else."""
    if _POINTER.match(value) is None:
        raise ValueError(f"{quoted(value)} is not a JSON pointer such as /patient/notes")
    return value


LISTED = BeforeValidator(_listed)
UNIQUE = AfterValidator(_unique)
SOME = AfterValidator(_some)

Number = Annotated[int | float, PlainValidator(_number)]
AnyScalar = Annotated[Scalar, PlainValidator(_scalar)]
Words = Annotated[str, AfterValidator(_words)]
Name = Annotated[str, AfterValidator(_name)]
NameOrAny = Annotated[str, AfterValidator(_name_or_any)]
EgressHost = Annotated[str, AfterValidator(_egress_host)]
Pointer = Annotated[str, AfterValidator(pointer)]
ParameterKind = Literal["string", "number", "integer", "boolean", "array", "object", "any"]
