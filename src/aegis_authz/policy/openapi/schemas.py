"""What a JSON Schema says of a value in plain words: its type, and the members of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.policy.openapi.references import Description, elements

ANY_KIND = "any"
_NULL = "null"
_KINDS = frozenset(("string", "number", "integer", "boolean", "array", "object"))
_MOST_DEPTH = 32
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
    return _Reader(description).kind(schema)


def members_of(description: Description, schema: Json) -> Members | None:
    """The members of the object that a schema describes, None where it describes none. Raises ReferenceUnresolved."""
    reader = _Reader(description)
    names, shape = reader.names(schema, 0), reader.shape(schema, 0)
    if names - {_NULL} != {"object"} if names else not shape.properties:
        return None
    kinds = {name: reader.kind(part) for name, part in shape.properties.items()}
    return Members(kinds, shape.lets_others_pass)


def described_members(description: Description, schema: Json) -> Mapping[str, Sequence[Mapping[str, Json]]]:
    """All that is said of each member of an object, with what is put together by allOf. Raises ReferenceUnresolved."""
    properties = _Reader(description).shape(schema, 0).properties
    return {name: _facets(description, part) for name, part in properties.items()}


def _facets(description: Description, schema: Json) -> list[Mapping[str, Json]]:
    """All that a schema says, each part read once: one that is put together of another twice would double it."""
    facets: list[Mapping[str, Json]] = []
    visited: set[int] = set()
    level = [schema]
    for _ in range(_MOST_DEPTH + 1):
        parts = {id(part): part for part in level if id(part) not in visited}
        visited |= parts.keys()
        fresh = [facet for part in parts.values() for facet in description.applying(part)]
        facets += fresh
        level = [inherited for facet in fresh for inherited in elements(facet.get("allOf"))]
    return facets


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


@dataclass(frozen=True, slots=True)
class _Shape:
    """The schemas of an object's members. It `is_open` where a part says that there may be others, and `is_closed`
    where one says that there may not; a schema that says neither lists what there is.
    """

    properties: Mapping[str, Json]
    is_open: bool
    is_closed: bool

    @property
    def lets_others_pass(self) -> bool:
        """Whether there may be members that are not listed."""
        return self.is_open and not self.is_closed


_NOTHING = _Shape({}, False, False)
_ANYTHING: Mapping[str, Json] = {}


class _Reader:
    """Reads schemas, each once: what refers to itself says nothing more of itself."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._names: dict[int, tuple[Json, set[str]]] = {}
        self._shapes: dict[int, tuple[Json, _Shape]] = {}
        self._items: dict[int, tuple[Json, set[str]]] = {}

    def kind(self, schema: Json) -> Kind:
        names = self.names(schema, 0)
        name = _plain(names - {_NULL}) or ANY_KIND
        items = None
        if name == "array":
            element = self._elements(schema, 0)
            items = _plain(element) if element.isdisjoint(("array", "object", _NULL)) else None
        return Kind(name, _NULL in names and name != ANY_KIND, items)

    def names(self, schema: Json, depth: int) -> set[str]:
        """The names of all types a value may have, none where the schema does not say."""
        if id(schema) not in self._names:
            self._names[id(schema)] = schema, set()
            if depth <= _MOST_DEPTH:
                parts = [self._names_of(part, depth) for part in self._description.applying(schema)]
                self._names[id(schema)] = schema, _in_all(parts)
        return self._names[id(schema)][1]

    def _names_of(self, part: Mapping[str, Json], depth: int) -> set[str]:
        declared = _declared(part) or _names_of_values(part)
        alternatives = [_in_any(self._all_names(part.get(word), depth)) for word in ("oneOf", "anyOf")]
        names = _in_all([declared, *alternatives, *self._all_names(part.get("allOf"), depth)])
        if not names and isinstance(part.get("properties"), Mapping) and "type" not in part:
            names = {"object"}
        return names | {_NULL} if names and part.get("nullable") is True else names

    def _all_names(self, schemas: Json, depth: int) -> list[set[str]]:
        return [self.names(schema, depth + 1) for schema in elements(schemas)]

    def _elements(self, schema: Json, depth: int) -> set[str]:
        """The names of all types that an element of an array may have, none where the schema does not say."""
        if id(schema) not in self._items:
            self._items[id(schema)] = schema, set()
            if depth <= _MOST_DEPTH:
                self._items[id(schema)] = schema, self._elements_of(schema, depth)
        return self._items[id(schema)][1]

    def _elements_of(self, schema: Json, depth: int) -> set[str]:
        known: list[set[str]] = []
        for part in self._description.applying(schema):
            if "prefixItems" not in part:  # beside which `items` is about the rest
                known.append(self.names(part.get("items"), depth + 1))
            known += (self._elements(inherited, depth + 1) for inherited in elements(part.get("allOf")))
            for word in ("oneOf", "anyOf"):
                lists = [choice for choice in elements(part.get(word)) if self._may_be(choice, "array", depth)]
                known.append(_in_any([self._elements(choice, depth + 1) for choice in lists]))
        return _in_all(known)

    def _may_be(self, schema: Json, name: str, depth: int) -> bool:
        names = self.names(schema, depth + 1)
        return not names or name in names

    def shape(self, schema: Json, depth: int) -> _Shape:
        """The members of an object that a schema describes, if it describes one."""
        if id(schema) not in self._shapes:
            self._shapes[id(schema)] = schema, _NOTHING
            if depth <= _MOST_DEPTH:
                parts = [self._shape_of(part, depth) for part in self._description.applying(schema)]
                self._shapes[id(schema)] = schema, _both(parts)
        return self._shapes[id(schema)][1]

    def _shape_of(self, part: Mapping[str, Json], depth: int) -> _Shape:
        shapes = [self._own(part), *(self.shape(inherited, depth + 1) for inherited in elements(part.get("allOf")))]
        for word in ("oneOf", "anyOf"):
            objects = [choice for choice in elements(part.get(word)) if self._may_be(choice, "object", depth)]
            shapes.append(_either([self.shape(choice, depth + 1) for choice in objects]))
        dependent = part.get("dependentSchemas")
        conditional = [
            part.get("then"),
            part.get("else"),
            *(dependent.values() if isinstance(dependent, Mapping) else ()),
        ]
        shapes.append(_either([_NOTHING, *(self.shape(branch, depth + 1) for branch in conditional)]))
        return _both(shapes)

    def _own(self, part: Mapping[str, Json]) -> _Shape:
        """What a schema says itself, leaving out what it is put together of."""
        listed = part.get("properties")
        properties = {
            name: schema
            for name, schema in (listed.items() if isinstance(listed, Mapping) else ())
            if not any(facet.get("readOnly") is True for facet in self._description.applying(schema))
        }
        words = [part[word] for word in ("additionalProperties", "unevaluatedProperties") if word in part]
        is_open = bool(part.get("patternProperties")) or any(
            rest is True or isinstance(rest, Mapping) for rest in words
        )
        return _Shape(properties, is_open, False in words)


def _declared(part: Mapping[str, Json]) -> set[str]:
    """The types that `type` names, one or, from 3.1 on, several; none where it is not what a schema has there."""
    declared = part.get("type")
    words = {word for word in (declared if isinstance(declared, list) else [declared]) if isinstance(word, str)}
    is_whole = isinstance(declared, str) or len(words) == len(elements(declared))
    return words if is_whole and words <= _KINDS | {_NULL} else set()


def _plain(names: set[str]) -> str | None:
    """The one type of these names, which is `number` for both kinds of number."""
    names = {"number"} if names == {"integer", "number"} else names
    return next(iter(names)) if len(names) == 1 else None


def _in_all(parts: Sequence[set[str]]) -> set[str]:
    """The types that every part allows of those that say something; none where they contradict each other."""
    names: set[str] = set()
    for part in filter(None, parts):
        if not names:
            names = part
            continue
        narrower = {"integer"} if {"integer", "number"} <= names | part else set()  # a number that is an integer
        names = (names & part) | (narrower if "integer" in names ^ part else set())
        if not names:
            return set()
    return names


def _in_any(choices: Sequence[set[str]]) -> set[str]:
    """The types that some choice allows; none where a choice does not say."""
    return set().union(*choices) if all(choices) else set()


def _both(shapes: Sequence[_Shape]) -> _Shape:
    """What holds where all of these do: one part closes it for all."""
    properties = _joined("allOf", [shape.properties for shape in shapes])
    return _Shape(properties, any(shape.is_open for shape in shapes), any(shape.is_closed for shape in shapes))


def _either(shapes: Sequence[_Shape]) -> _Shape:
    """What may hold where one of these does. In an open one, a member that others list may be anything."""
    names = {name: _ANYTHING for shape in shapes for name in shape.properties}
    parts = [{**names, **shape.properties} if shape.lets_others_pass else shape.properties for shape in shapes]
    is_closed = bool(shapes) and all(shape.is_closed for shape in shapes)
    return _Shape(_joined("anyOf", parts), any(shape.lets_others_pass for shape in shapes), is_closed)


def _joined(word: str, parts: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """The members of all parts; what several say of one stands together under `word`."""
    schemas: dict[str, list[Json]] = {}
    for part in parts:
        for name, schema in part.items():
            schemas.setdefault(name, []).append(schema)
    return {name: described[0] if len(described) == 1 else {word: described} for name, described in schemas.items()}


def _names_of_values(plain: Mapping[str, Json]) -> set[str]:
    values = plain.get("enum")
    if not isinstance(values, list) or not values:
        values = [plain["const"]] if "const" in plain else []
    return {kind_name(value) for value in values}
