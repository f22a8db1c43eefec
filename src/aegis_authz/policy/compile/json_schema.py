"""JSON Schema 2020-12 as far as OPA can be trusted with it, in the words OPA reads (draft 7).

What a schema may say is listed here, word by word; anything else is refused instead of passed on to a validator that
would skip it. References are written out, so a schema cannot refer to itself or reach out of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.problems import did_you_mean, quoted
from aegis_authz.policy.source.reader import Location

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_NOTES = (
    "$schema",
    "$comment",
    "$defs",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
)
_COUNTS = ("maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties")
_NUMBERS = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
_MAX_DEPTH = 32
_MAX_PARTS = 10_000  # references are written out, and few could stand for very many

Faults = list[tuple[Location, str]]


def schema_faults(schema: Mapping[str, object]) -> tuple[Json, Faults]:
    """Read a schema; returns it in OPA's words and all faults. Only a result without faults may be compiled."""
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping):
        return {}, [(("$defs",), "must be a mapping")]
    reading = _Reading(definitions)
    return reading.schema(schema, (), ()), reading.faults


def schema_of_member(schema: Json) -> Json:
    """A schema of `{value: V}` for a schema of V: OPA takes a text that stands alone for JSON yet to be parsed."""
    return {"type": "object", "properties": {"value": schema}, "required": ["value"]}


class _Reading:
    def __init__(self, definitions: Mapping[str, object]) -> None:
        self._definitions = definitions
        self.faults: Faults = []
        self._parts = 0

    def schema(self, schema: object, at: Location, through: tuple[str, ...]) -> Json:
        """`through` are the references that led here."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            return self._fault(at, "must be a JSON Schema: a mapping, true or false")
        self._parts += 1
        if self._parts > _MAX_PARTS:
            is_reported = self._parts > _MAX_PARTS + 1
            message = f"has more than {_MAX_PARTS} parts, its references written out"
            return False if is_reported else self._fault((), message)
        if len(at) > _MAX_DEPTH * 2:
            return self._fault((), f"is nested more than {_MAX_DEPTH} levels deep")
        read: dict[str, Json] = {}
        for word, value in schema.items():
            if word == "$ref":
                return self._reference(schema, (*at, word), through)
            if word in _NOTES:
                if word == "$schema" and value != _DIALECT:
                    self._fault((*at, word), f"must be {_DIALECT}")
                continue
            reader = self._reader(word)
            if reader is None:
                words = [*self._readers(), *_NOTES, "$ref"]
                self._fault(
                    (*at, word), f"{quoted(str(word))} is not a word that can be judged{did_you_mean(str(word), words)}"
                )
                continue
            read.update(reader(word, value, (*at, word), through))
        return read

    def _readers(self) -> dict[str, Callable[[str, object, Location, tuple[str, ...]], Mapping[str, Json]]]:
        return {
            "type": self._type,
            "enum": self._plain_list,
            "const": lambda word, value, at, through: {word: self._json(value)},
            "pattern": self._pattern,
            "properties": self._members,
            "required": self._names,
            "additionalProperties": self._subschema,
            "propertyNames": self._subschema,
            "items": self._subschema,
            "contains": self._subschema,
            "not": self._subschema,
            "uniqueItems": self._flag,
            "allOf": self._several,
            "anyOf": self._several,
            "oneOf": self._several,
            "dependentRequired": self._dependent,
            **dict.fromkeys(_COUNTS, self._count),
            **dict.fromkeys(_NUMBERS, self._number),
            "multipleOf": self._number,
        }

    def _reader(self, word: object) -> Callable[[str, object, Location, tuple[str, ...]], Mapping[str, Json]] | None:
        return self._readers().get(word) if isinstance(word, str) else None

    def _reference(self, schema: Mapping[str, object], at: Location, through: tuple[str, ...]) -> Json:
        name = schema["$ref"]
        start = "#/$defs/"
        if not isinstance(name, str) or not name.startswith(start) or name[len(start) :] not in self._definitions:
            references = [start + definition for definition in self._definitions]
            return self._fault(
                at, f"must name a schema of $defs, such as {start}address{did_you_mean(str(name), references)}"
            )
        if any(word not in (*_NOTES, "$ref") for word in schema):
            return self._fault(at, "stands alone; use allOf to add to it")
        if name in through:
            return self._fault(at, "refers to itself, which cannot be judged in bounded time")
        return self.schema(self._definitions[name[len(start) :]], at, (*through, name))

    def _type(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        names = value if isinstance(value, list | tuple) else [value]
        if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
            self._fault(at, f"must be one or several of {', '.join(_TYPES)}")
            return {}
        return {word: self._json(value)}

    def _plain_list(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, list | tuple) or not value:
            self._fault(at, "must be a list that is not empty")
        return {word: self._json(value)}

    def _pattern(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(value if isinstance(value, str) else "(", options)
        except re2.error:
            self._fault(at, "is not an RE2 pattern")
        return {word: self._json(value)}

    def _members(self, word: str, value: object, at: Location, through: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, Mapping):
            self._fault(at, "must be a mapping of schemas")
            return {}
        return {word: {str(name): self.schema(part, (*at, str(name)), through) for name, part in value.items()}}

    def _names(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
            self._fault(at, "must be a list of names")
        # an empty list says nothing, and draft 4 readers refuse it
        return {word: self._json(value)} if value else {}

    def _subschema(self, word: str, value: object, at: Location, through: tuple[str, ...]) -> Mapping[str, Json]:
        return {word: self.schema(value, at, through)}

    def _flag(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, bool):
            self._fault(at, "must be true or false")
        return {word: self._json(value)}

    def _several(self, word: str, value: object, at: Location, through: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, list | tuple) or not value:
            self._fault(at, "must be a list of schemas")
            return {}
        return {word: [self.schema(part, (*at, position), through) for position, part in enumerate(value)]}

    def _dependent(self, _word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if not isinstance(value, Mapping) or not all(isinstance(names, list | tuple) for names in value.values()):
            self._fault(at, "must be a mapping of lists of names")
        return {"dependencies": self._json(value)}

    def _count(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self._fault(at, "must be a whole number, 0 or more")
        return {word: self._json(value)}

    def _number(self, word: str, value: object, at: Location, _: tuple[str, ...]) -> Mapping[str, Json]:
        if isinstance(value, bool) or not isinstance(value, int | float) or (word == "multipleOf" and value <= 0):
            self._fault(at, "must be a number" + (" above 0" if word == "multipleOf" else ""))
        return {word: self._json(value)}

    def _json(self, value: object) -> Json:
        return value  # type: ignore[return-value]  # it came out of a source document: it is Json

    def _fault(self, at: Location, message: str) -> Json:
        self.faults.append((at, message))
        return False
