"""How mutants that no test noticed read, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aegis_authz.lab.mutants import Mutant, Mutants
from aegis_authz.policy.source.problems import printable


def survivors_text(mutants: Mutants, tried: int, left: Sequence[Mutant]) -> str:
    """A line for each survivor and a summary."""
    lines = [
        printable(f"{mutant.path}:{mutant.line}: {mutant.field}: {mutant.words}") + _UNPROTECTED for mutant in left
    ]
    lines.append(f"{tried - len(left)} of {tried} mutants were noticed, {len(left)} survived")
    if tried < len(mutants.distinct):
        lines.append(f"{len(mutants.distinct) - tried} others were not tried")
    return "\n".join(lines)


def survivors_json(mutants: Mutants, tried: int, left: Sequence[Mutant]) -> str:
    """The same as one JSON object."""
    report = {
        "mutants": len(mutants.distinct),
        "tried": tried,
        "noticed": tried - len(left),
        "equivalent": mutants.equivalent,
        "survivors": [
            {"file": mutant.path, "line": mutant.line, "field": mutant.field, "change": mutant.words} for mutant in left
        ],
    }
    return json.dumps(report, indent=2)


_UNPROTECTED = "; nothing protects this line"
