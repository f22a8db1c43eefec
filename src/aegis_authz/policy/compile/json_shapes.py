"""Compiled data taken for what it is: each raises TypeError for any other JSON value, which only a bug can make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json


def object_of(value: Json) -> Mapping[str, Json]:
    """An object. Raises TypeError."""
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def list_of(value: Json) -> Sequence[Json]:
    """A list. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def text_of(value: Json) -> str:
    """A text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
