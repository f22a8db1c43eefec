"""The types a JSON Schema is about, as a schema of their own.

The words of JSON Schema ignore values of other types, and `type` fails them: "9999", which many a tool reads as 9999,
does not meet `{type: number, minimum: 5001}`. Where a rule denies what meets a schema, a value is known not to meet it
only when it also has these types, and no member in another spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aegis_authz.core.json_value import Json

_TYPES_OF_WORDS = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(("pattern", "minLength", "maxLength"), "string"),
    **dict.fromkeys(("items", "contains", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("properties", "required", "additionalProperties", "propertyNames"), "object"),
    **dict.fromkeys(("dependencies", "minProperties", "maxProperties"), "object"),
}


def types_of(schema: Json) -> Json:
    """The schema of the types that a schema, in OPA's words, is about; `{}` where it is about any."""
    if not isinstance(schema, Mapping):
        return {}
    parts = [part for part in _parts(schema) if part]
    return {"allOf": parts} if parts else {}


def _parts(schema: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    kinds = _kinds(schema)
    if kinds:
        yield {"type": [*kinds]}
    properties = _mapping(schema.get("properties"))
    if properties:
        yield {"properties": {name: types_of(subschema) for name, subschema in properties.items()}}
    names = {*properties, *(name for name in _list(schema.get("required")) if isinstance(name, str))}
    if names:
        yield {"propertyNames": {"anyOf": [{"enum": sorted(names)}, {"not": {"pattern": _any_case(names)}}]}}
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield {
            "properties": {name: {} for name in properties},
            "additionalProperties": types_of(schema["additionalProperties"]),
        }
    for word in ("items", "contains"):
        if word in schema:
            yield {"items": types_of(schema[word])}
    if "not" in schema:
        yield {"allOf": [types_of(schema["not"])]}
    yield from ({"allOf": [types_of(subschema)]} for subschema in _list(schema.get("allOf")))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            yield {"anyOf": [types_of(subschema) for subschema in _list(schema[word])]}


def _kinds(schema: Mapping[str, Json]) -> list[Json]:
    """The types the schema names itself, else those of its constants, else those its words are about."""
    if "type" in schema:
        type_word = schema["type"]
        return type_word if isinstance(type_word, list) else [type_word]
    constants = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
    if constants:
        return [*sorted({_kind(constant) for constant in constants})]
    return [*sorted({_TYPES_OF_WORDS[word] for word in schema if word in _TYPES_OF_WORDS})]


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array"}.get(type(value), "object")


def _any_case(names: set[str]) -> str:
    return f"^(?i:{'|'.join(re.escape(name) for name in sorted(names))})$"


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
