"""How the grant of a call reads in an explanation as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.lab.grants import LookedAtNarrowing


def narrowing_data(narrowing: LookedAtNarrowing) -> Mapping[str, Json]:
    """One grant as JSON values."""
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
