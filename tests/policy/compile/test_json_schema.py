"""The part of JSON Schema 2020-12 that is judged, judged by the real OPA."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.policy.compile.json_schema import schema_faults, schema_of_member

# word: schema, what conforms, what does not
WORDS: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({"type": "string"}, ["a", "1", '{"a": 1}'], [1, None, ["a"]]),
    ({"type": ["integer", "null"]}, [1, None, 2.0], ["1", 1.5]),
    ({"enum": [1, "a", None]}, [1, "a", None], [2, "b"]),
    ({"const": {"a": 1}}, [{"a": 1}], [{"a": 2}, 1]),
    ({"pattern": "^a+$"}, ["aa", 5], ["b", ""]),
    ({"properties": {"a": {"type": "number"}}}, [{"a": 1}, {}, {"b": "x"}, "x"], [{"a": "1"}]),
    ({"required": ["a", "b"]}, [{"a": 1, "b": 2}], [{"a": 1}, {}]),
    ({"required": []}, [{}, {"a": 1}], []),
    ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
    ({"additionalProperties": {"type": "number"}}, [{"a": 1}], [{"a": "1"}]),
    ({"propertyNames": {"pattern": "^[a-z]+$"}}, [{"a": 1}], [{"A": 1}]),
    ({"items": {"type": "number"}}, [[1, 2], [], "x"], [[1, "2"]]),
    ({"contains": {"const": 1}}, [[2, 1]], [[2], []]),
    ({"not": {"type": "string"}}, [1], ["a"]),
    ({"uniqueItems": True}, [[1, 2]], [[1, 1]]),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    ({"anyOf": [{"const": 1}, {"const": 2}]}, [1, 2], [3]),
    ({"oneOf": [{"minimum": 1}, {"maximum": 2}]}, [0, 3], [1, 2]),
    ({"dependentRequired": {"a": ["b"]}}, [{"a": 1, "b": 1}, {"b": 1}], [{"a": 1}]),
    ({"minLength": 1, "maxLength": 2}, ["a", "äö"], ["", "abc"]),
    ({"minItems": 1, "maxItems": 2}, [[1]], [[], [1, 2, 3]]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
    ({"minimum": 0, "maximum": 10}, [0, 10], [-0.1, 10.1]),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 10}, [0.1, 9.9], [0, 10]),
    ({"multipleOf": 0.01}, [0.03, 19.99], [0.005]),
    ({"$defs": {"n": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}, [{"a": 1}], [{"a": "1"}]),
    ({"title": "t", "description": "d", "default": 1, "$comment": "c", "examples": [1], "type": "number"}, [1], ["1"]),
]


def conforms(opa: Path, folder: Path, pairs: list[tuple[Any, Any]]) -> list[bool]:
    """What OPA makes of each (compiled schema, value)."""
    (folder / "input.json").write_text(json.dumps([{"schema": schema, "value": value} for schema, value in pairs]))
    query = '[ok | some pair in input; ok := json.match_schema({"value": pair.value}, pair.schema)[0]]'
    arguments = [opa, "eval", "--strict-builtin-errors", "--format", "raw", "--input", folder / "input.json", query]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    found: list[bool] = json.loads(done.stdout)
    return found


def test_every_word_is_judged_as_the_specification_says(opa_binary: Path, tmp_path: Path) -> None:
    asked: list[tuple[Any, Any]] = []
    wanted: list[tuple[Any, Any, bool]] = []
    for schema, good, bad in WORDS:
        read, faults = schema_faults(schema)
        assert faults == []
        for value, expected in [*((one, True) for one in good), *((one, False) for one in bad)]:
            asked.append((schema_of_member(read), value))
            wanted.append((schema, value, expected))
    found = conforms(opa_binary, tmp_path, asked)
    assert [(schema, value, ok) for (schema, value, _), ok in zip(wanted, found, strict=True)] == wanted


@pytest.mark.parametrize(
    ("schema", "at", "told"),
    [
        ({"format": "email"}, ("format",), "is not a word that can be judged"),
        ({"if": {}, "then": {}}, ("if",), "is not a word"),
        ({"prefixItems": []}, ("prefixItems",), "is not a word"),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",), "is not a word"),
        ({"propertys": {}}, ("propertys",), "did you mean 'properties'?"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",), "2020-12"),
        ({"type": "float"}, ("type",), "must be one or several of"),
        ({"type": []}, ("type",), "must be one or several of"),
        ({"enum": []}, ("enum",), "must be a list that is not empty"),
        ({"pattern": "("}, ("pattern",), "is not an RE2 pattern"),
        ({"pattern": 5}, ("pattern",), "is not an RE2 pattern"),
        ({"minLength": -1}, ("minLength",), "must be a whole number"),
        ({"maxItems": True}, ("maxItems",), "must be a whole number"),
        ({"maximum": "5"}, ("maximum",), "must be a number"),
        ({"multipleOf": 0}, ("multipleOf",), "above 0"),
        ({"uniqueItems": 1}, ("uniqueItems",), "must be true or false"),
        ({"required": "a"}, ("required",), "must be a list of names"),
        ({"properties": []}, ("properties",), "must be a mapping of schemas"),
        ({"properties": {"a": 5}}, ("properties", "a"), "must be a JSON Schema"),
        ({"allOf": []}, ("allOf",), "must be a list of schemas"),
        ({"dependentRequired": {"a": "b"}}, ("dependentRequired",), "must be a mapping of lists"),
        ({"$ref": "https://example.com/s"}, ("$ref",), "must name a schema of $defs"),
        ({"$ref": "#/$defs/x", "$defs": {"y": {}}}, ("$ref",), "must name a schema of $defs"),
        ({"$defs": {"y": {}}, "items": {"$ref": "#/$defs/y", "type": "string"}}, ("items", "$ref"), "stands alone"),
        ({"$defs": [], "type": "string"}, ("$defs",), "must be a mapping"),
    ],
)
def test_what_cannot_be_judged_is_refused_where_it_stands(
    schema: dict[str, Any], at: tuple[str, ...], told: str
) -> None:
    _, faults = schema_faults(schema)
    assert (faults[0][0], told in faults[0][1]) == (at, True)


def test_a_schema_that_refers_to_itself_is_refused() -> None:
    schema = {"$defs": {"list": {"properties": {"next": {"$ref": "#/$defs/list"}}}}, "$ref": "#/$defs/list"}
    _, faults = schema_faults(schema)
    assert "refers to itself" in faults[0][1]


def test_references_that_multiply_end_soon() -> None:
    names = [f"s{number}" for number in range(30)]
    defs = {
        name: {"allOf": [{"$ref": f"#/$defs/{after}"}, {"$ref": f"#/$defs/{after}"}]} for name, after in pairwise(names)
    }
    _, faults = schema_faults({"$defs": {**defs, names[-1]: {}}, "$ref": "#/$defs/s0"})
    assert faults


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"not": schema}
    _, faults = schema_faults(schema)
    assert "nested" in faults[0][1]
