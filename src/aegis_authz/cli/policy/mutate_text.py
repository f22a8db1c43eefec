"""How mutants that no test noticed read, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aegis_authz.lab.mutants import Mutant, Mutants
from aegis_authz.policy.source.problems import printable


def survivors_text(made: Mutants, tried: int, left: Sequence[Mutant]) -> str:
    """A line for each survivor and a summary."""
    lines = [printable(f"{one.path}:{one.line}: {one.field}: {one.words}") + _UNPROTECTED for one in left]
    lines.append(f"{tried - len(left)} of {tried} mutants were noticed, {len(left)} survived")
    if tried < len(made.found):
        lines.append(f"{len(made.found) - tried} others were not tried")
    return "\n".join(lines)


def survivors_json(made: Mutants, tried: int, left: Sequence[Mutant]) -> str:
    """The same as one JSON object."""
    told = {
        "mutants": len(made.found),
        "tried": tried,
        "noticed": tried - len(left),
        "equivalent": made.equivalent,
        "survivors": [{"file": one.path, "line": one.line, "field": one.field, "change": one.words} for one in left],
    }
    return json.dumps(told, indent=2)


_UNPROTECTED = "; nothing protects this line"
