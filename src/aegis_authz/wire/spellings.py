"""Names in a call that policy cannot fold by case alone: `amount[]`, full-width letters, signs without shape."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import simply_folded, stem

MOST_SPELLINGS = 100
"""Names of one call that may be written so: each is looked at by the policy engine once more."""
_USUAL = re.compile(r"[A-Za-z0-9_$. -]*\Z")


def spellings(parameters: Mapping[str, Json]) -> dict[str, str]:
    """The folded form of every such name, at whatever depth. Raises Refused(MALFORMED_CALL) for too many of them."""
    forms: dict[str, str] = {}
    level: list[Mapping[str, Json]] = [parameters]
    while level:
        below: list[Json] = []
        for members in level:
            if not _USUAL.match("".join(members)):
                _note(members, forms)
            below += members.values()
        level = _objects(below)
    return forms


def _note(names: Mapping[str, Json], forms: dict[str, str]) -> None:
    for name in names:
        if _USUAL.match(name):
            continue
        form = stem(name)
        if form != simply_folded(name):
            forms[name] = form
    if len(forms) > MOST_SPELLINGS:
        raise Refused(Reason.MALFORMED_CALL, "too many names that some reader takes for others")


def _objects(values: list[Json]) -> list[Mapping[str, Json]]:
    objects: list[Mapping[str, Json]] = []
    while values:
        objects += [value for value in values if isinstance(value, dict)]
        values = [element for value in values if isinstance(value, list) for element in value]
    return objects
