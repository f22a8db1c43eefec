"""How a parameter is written into a path, a query or a header, and what a catalogue can list of it.

OpenAPI 3.1.1, section 4.8.12.6: style and explode say whether a list or an object is one text or several pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind, kind_of, members_of

TEXT = Kind("string", False, None)
_FORM, _DEEP = "form", "deepObject"
_NOUNS = {"array": "a list", "object": "an object"}


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of a query that are one parameter, each with its type.

    `is_open` where there may be others; `gaps` are sentences on what is not taken over.
    """

    kinds: Mapping[str, Kind]
    is_open: bool
    gaps: tuple[str, ...]


def text_of(kind: Kind, label: str) -> tuple[Kind, tuple[str, ...]]:
    """The type of what stands in a path or a header, where lists and objects are one text, and the gaps."""
    if kind.name not in _NOUNS:
        return kind, ()
    return TEXT, (f"the {label} is {_NOUNS[kind.name]} in one text: judged as a text",)


def pairs_of(description: Description, name: str, parameter: Mapping[str, Json]) -> Pairs:
    """The pairs of a parameter of the query. Raises ReferenceUnresolved."""
    label = f"query parameter {name[:60]!r}"
    if "schema" not in parameter:
        return Pairs({name: TEXT}, False, ())  # described by content: a text in whatever serialisation
    kind, style = kind_of(description, parameter["schema"]), parameter.get("style", _FORM)
    is_exploded = parameter.get("explode", style == _FORM) is True
    if kind.name == "object" and (style == _DEEP or (style == _FORM and is_exploded)):
        return _members(description, name, parameter["schema"], is_deep=style == _DEEP)
    if kind.name in _NOUNS and style != _DEEP and not is_exploded:
        plain, gaps = text_of(kind, label)
        return Pairs({name: plain}, False, gaps)
    if style == _DEEP:  # which is not defined for what is no object
        written = f"{name}[...]"
        gaps = (f"the {label} may be written as {written[:70]!r}: pairs of its bare name alone are taken",)
        return Pairs({name: kind}, False, gaps)
    if kind.name == "object":
        return Pairs(
            {name: TEXT}, False, (f"the {label} is an object in a style that is not defined: a text is taken",)
        )
    return Pairs({name: kind}, False, ())


def _members(description: Description, name: str, schema: Json, is_deep: bool) -> Pairs:
    """An object as a pair for each member: under the member's own name, or as `name[member]`."""
    label = f"query parameter {name[:60]!r}"
    members = members_of(description, schema)
    if members is None or not members.kinds:
        is_open = members is not None and members.is_open
        rest = "other parameters are allowed (others: allow)" if is_open else "none is listed"
        return Pairs({}, is_open, (f"the members of the {label} are not described: {rest}",))
    kinds: dict[str, Kind] = {}
    gaps: list[str] = []
    for member, kind in members.kinds.items():
        key = f"{name}[{member}]" if is_deep else member
        if kind.name in _NOUNS and (is_deep or kind.name == "object"):
            gaps.append(f"the member {member[:60]!r} of the {label} is {_NOUNS[kind.name]}: it is not listed")
            continue
        kinds[key] = Kind(kind.name, False, kind.items)  # a query has no null
    if members.is_open:
        gaps.append(f"the {label} may have members that are not described: they are allowed (others: allow)")
    return Pairs(kinds, members.is_open, tuple(gaps))
