"""Objects in JSON as others must read them, too: no member twice."""

from __future__ import annotations

import json
from typing import Any


def parse_object(content: bytes) -> dict[str, Any]:
    """The object in the text. Raises ValueError for anything else, and for a member that stands twice."""
    try:
        value = json.loads(content, object_pairs_hook=_members)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # of a text: its value is wrong
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members
