"""JSON of unknown shape read as what it must be. Everything else is one error, ValueError, that says what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json


def mapping(data: Json, name: str) -> Mapping[str, Json]:
    """An object. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is not an object")  # noqa: TRY004  # one error for every surprise
    return data


def members(data: Json, names: set[str], name: str) -> Mapping[str, Json]:
    """An object with exactly these members. Raises ValueError."""
    if not isinstance(data, Mapping) or data.keys() != names:
        raise ValueError(f"{name} is not an object of {', '.join(sorted(names))}")
    return data


def items(data: Json, name: str) -> Sequence[Json]:
    """A list. Raises ValueError."""
    if not isinstance(data, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004  # one error for every surprise
    return data


def text(data: Json, name: str) -> str:
    """A text. Raises ValueError."""
    if not isinstance(data, str):
        raise ValueError(f"{name} is not a text")  # noqa: TRY004  # one error for every surprise
    return data


def number(data: Json, name: str) -> int | float:
    """A number; true and false are none. Raises ValueError."""
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004  # one error for every surprise
    return data


def integer(data: Json, name: str) -> int:
    """A whole number; true and false are none. Raises ValueError."""
    if isinstance(data, bool) or not isinstance(data, int):
        raise ValueError(f"{name} is not a whole number")  # noqa: TRY004  # one error for every surprise
    return data
