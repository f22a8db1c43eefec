"""How the grant of a call reads in an explanation, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.lab.grants import LookedAtNarrowing, LookedAtValue


def narrowing_lines(narrowing: LookedAtNarrowing) -> Iterator[tuple[bool, str]]:
    """Each part of one grant: whether it lets the call through, and what it says."""
    yield not narrowing.is_over, "it has ended" if narrowing.is_over else "it has not ended"
    yield narrowing.tool, "lists the tool" if narrowing.tool else "does not list the tool"
    if narrowing.tool:
        yield narrowing.action, "lists the action" if narrowing.action else "does not list the action"
    for value in narrowing.values:
        yield value.holds, _value(value)


def narrowing_data(narrowing: LookedAtNarrowing) -> Mapping[str, Json]:
    """The same as JSON values."""
    return {
        "is_over": narrowing.is_over,
        "tool": narrowing.tool,
        "action": narrowing.action,
        "values": [
            {
                "parameter": value.parameter,
                "allowed": [*value.allowed],
                "seen": value.value,
                "there": value.there,
                "holds": value.holds,
            }
            for value in narrowing.values
        ],
    }


def _value(value: LookedAtValue) -> str:
    seen = f"seen {json.dumps(value.value, ensure_ascii=False)}" if value.there else "it is not there"
    return f"{value.parameter} one of {json.dumps([*value.allowed], ensure_ascii=False)}: {seen}"
