"""A document as it was read, changed in one place: what was read stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.reader import Location

_FEW = 6
_ASKING = ("conditions", "context", "parameters")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a document: the place that changed, the change in words, and the whole document after it."""

    at: Location
    words: str
    value: Json


def replaced(value: Json, at: Location, new: Json) -> Json:
    """The value with another one at a location; mappings on the way that are not there are made."""
    if not at:
        return new
    part, rest = at[0], at[1:]
    if isinstance(value, list) and isinstance(part, int):
        return [replaced(element, rest, new) if position == part else element for position, element in enumerate(value)]
    members = value if isinstance(value, Mapping) else {}
    return {**members, str(part): replaced(members.get(str(part)), rest, new)}


def removed(value: Json, at: Location) -> Json:
    """The value without the member or element at a location."""
    parent, last = at[:-1], at[-1]
    holder = inside(value, parent)
    if isinstance(holder, list):
        return replaced(value, parent, [element for position, element in enumerate(holder) if position != last])
    members = holder if isinstance(holder, Mapping) else {}
    return replaced(value, parent, {name: member for name, member in members.items() if name != last})


def unasked(value: Json, at: Location) -> Json:
    """The value without a condition, and without the mappings around it that then ask for nothing."""
    rest = removed(value, at)
    while at[-2] in _ASKING and inside(rest, at[:-1]) == {}:
        at = at[:-1]
        rest = removed(rest, at)
    return rest


def elements(value: Json, at: Location) -> Iterator[tuple[Location, Json]]:
    """Each element of the list at a location, with its own location; none where there is no list."""
    listed = inside(value, at)
    for position, element in enumerate(listed if isinstance(listed, list) else ()):
        yield (*at, position), element


def members(value: Json, at: Location) -> Mapping[str, Json]:
    """The mapping at a location; empty where there is none."""
    holder = inside(value, at)
    return holder if isinstance(holder, Mapping) else {}


def without_each(value: Json, at: Location, kind: str) -> Iterator[Edit]:
    """The document without one element of a list, for each of several."""
    listed = [*elements(value, at)]
    for where, element in listed if len(listed) > 1 else ():
        yield Edit(where, f"{kind} {words_of(element)} is removed", removed(value, where))


def moved(value: Json, at: Location, name: str, is_raised: bool) -> Iterator[Edit]:
    """The document with the number at a location moved by the least that its way of writing shows."""
    bound = inside(value, at)
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return
    sign = 1 if is_raised else -1
    new: int | float = bound + sign
    if isinstance(bound, float):
        exact = Decimal(repr(bound))
        exponent = exact.as_tuple().exponent
        new = float(exact + sign * Decimal(1).scaleb(min(int(exponent), 0)))
    yield Edit(at, f"{name} {words_of(bound)} became {words_of(new)}", replaced(value, at, new))


def words_of(value: Json) -> str:
    """A value in a few words."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            text = str(value)
        case list() if len(value) <= _FEW:
            text = "[" + ", ".join(words_of(element) for element in value) + "]"
        case list():
            text = f"a list of {len(value)}"
        case Mapping():
            name = value.get("name") or value.get("host") or value.get("credential")
            text = str(name) if isinstance(name, str) else "{" + ", ".join(value) + "}"
        case _:
            text = "nothing"
    return text if len(text) <= 60 else text[:57] + "..."
