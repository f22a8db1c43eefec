"""What a JSON Schema says of a value in plain words: its type, and the members of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.policy.openapi.references import Description

ANY_KIND = "any"
_NULL = "null"
_KINDS = frozenset(("string", "number", "integer", "boolean", "array", "object"))
_MOST_DEPTH = 16
"""Schemas within schemas by allOf, anyOf and oneOf; those deeper say nothing more of the types on top."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value as a catalogue names it (`any` where it may have several), and whether null is among them.

    `items` is the type of each element of an array where that is a plain one, else None.
    """

    name: str
    is_nullable: bool
    items: str | None


@dataclass(frozen=True, slots=True)
class Members:
    """The members that an object may have. `is_open` where the schema lets it have others, too."""

    kinds: Mapping[str, Kind]
    is_open: bool


def kind_of(description: Description, schema: Json) -> Kind:
    """The type of what a schema describes. Raises ReferenceUnresolved."""
    names = _names(description, schema, 0)
    plain = names - {_NULL}
    if plain == {"integer", "number"}:
        plain = {"number"}
    name = next(iter(plain)) if len(plain) == 1 else ANY_KIND
    items = None
    if name == "array":
        element = _names(description, _items(description, schema, 0), 0)
        items = next(iter(element)) if len(element) == 1 and not element & {"array", "object", _NULL} else None
    return Kind(name, _NULL in names and name != ANY_KIND, items)


def members_of(description: Description, schema: Json) -> Members | None:
    """The members of the object that a schema describes, None where it describes none. Raises ReferenceUnresolved."""
    members = _members(description, schema, 0)
    is_object = members is not None and (bool(members.kinds) or "object" in _names(description, schema, 0))
    return members if is_object else None


def _names(description: Description, schema: Json, depth: int) -> set[str]:
    """The names of all types a value may have, none where the schema does not say."""
    if depth > _MOST_DEPTH:
        return set()
    plain = description.resolved(schema)
    declared = plain.get("type")
    nullable = {_NULL} if plain.get("nullable") is True else set()
    if isinstance(declared, str | list):
        words = {word for word in ([declared] if isinstance(declared, str) else declared) if isinstance(word, str)}
        return words | nullable if words <= _KINDS | {_NULL} else set()
    for word in ("oneOf", "anyOf"):
        alternatives = plain.get(word)
        if isinstance(alternatives, list) and alternatives:
            choices = [_names(description, alternative, depth + 1) for alternative in alternatives]
            return set().union(*choices) | nullable if all(choices) else set()
    for part in _list(plain.get("allOf")):
        if names := _names(description, part, depth + 1):
            return names | nullable
    if isinstance(plain.get("properties"), Mapping):
        return {"object"} | nullable
    return _names_of_values(plain) | nullable


def _names_of_values(plain: Mapping[str, Json]) -> set[str]:
    values = plain.get("enum")
    if not isinstance(values, list) or not values:
        values = [plain["const"]] if "const" in plain else []
    return {kind_name(value) for value in values}


def kind_name(value: Json) -> str:
    """The type of a value as JSON Schema names it."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"


def _items(description: Description, schema: Json, depth: int) -> Json:
    plain = description.resolved(schema)
    if "items" in plain or depth > _MOST_DEPTH:
        return plain.get("items")
    for word in ("allOf", "oneOf", "anyOf"):
        for part in _list(plain.get(word)):
            if (items := _items(description, part, depth + 1)) is not None:
                return items
    return None


def _members(description: Description, schema: Json, depth: int) -> Members | None:
    if depth > _MOST_DEPTH:
        return None
    plain = description.resolved(schema)
    parts = [_own(description, plain)]
    parts += [_members(description, part, depth + 1) for part in _list(plain.get("allOf"))]
    for word in ("oneOf", "anyOf"):
        choices = [_members(description, part, depth + 1) for part in _list(plain.get(word))]
        if any(choice is None for choice in choices):
            return None  # what may be no object has no members to list
        parts += choices
    listings = [part for part in parts if part is not None]
    if not listings:
        # a part that says nothing of types adds a condition (`anyOf: [{required: [...]}]`), and no member
        return Members({}, False) if depth and not _names(description, plain, depth) else None
    return Members(_joined([part.kinds for part in listings]), any(part.is_open for part in listings))


def _own(description: Description, plain: Mapping[str, Json]) -> Members | None:
    """What a schema says itself, leaving out what it is put together of."""
    properties = plain.get("properties")
    if not isinstance(properties, Mapping) and plain.get("type") != "object":
        return None
    kinds = {
        name: kind_of(description, schema)
        for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
        if description.resolved(schema).get("readOnly") is not True
    }
    others = plain.get("additionalProperties")
    is_open = bool(plain.get("patternProperties")) or others is True or (isinstance(others, Mapping) and others != {})
    return Members(kinds, is_open or others == {})


def _joined(parts: Sequence[Mapping[str, Kind]]) -> dict[str, Kind]:
    """All members; one that two parts describe in two ways may have any type."""
    kinds: dict[str, Kind] = {}
    for part in parts:
        for name, kind in part.items():
            kinds[name] = kind if kinds.get(name, kind) == kind else Kind(ANY_KIND, False, None)
    return kinds


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()
