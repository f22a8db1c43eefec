"""Types and members as schemas of 3.0 and 3.1 say them."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind, Members, kind_of, members_of

DESCRIPTION = Description(
    {
        "Money": {"type": "object", "properties": {"amount": {"type": "integer"}}},
        "Tree": {"type": "object", "properties": {"left": {"$ref": "#/Tree"}}},
        "Round": {"allOf": [{"$ref": "#/Round"}]},
    }
)


@pytest.mark.parametrize(
    ("schema", "name", "is_nullable", "items"),
    [
        ({"type": "string"}, "string", False, None),
        ({"type": ["string", "null"]}, "string", True, None),
        ({"type": "string", "nullable": True}, "string", True, None),
        ({"type": ["integer", "number"]}, "number", False, None),
        ({"type": ["string", "integer"]}, "any", False, None),
        ({"type": "array", "items": {"type": "string"}}, "array", False, "string"),
        ({"type": "array", "items": {"type": "object"}}, "array", False, None),
        ({"type": "array"}, "array", False, None),
        ({"enum": ["a", "b"]}, "string", False, None),
        ({"enum": ["a", None]}, "string", True, None),
        ({"const": 3}, "integer", False, None),
        ({"enum": [True, 1.5]}, "any", False, None),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "string", True, None),
        ({"anyOf": [{"type": "string"}, {}]}, "any", False, None),
        ({"allOf": [{"description": "x"}, {"$ref": "#/Money"}]}, "object", False, None),
        ({"properties": {"a": {}}}, "object", False, None),
        ({"$ref": "#/Round"}, "any", False, None),
        ({"type": "file"}, "any", False, None),
        ({}, "any", False, None),
        (True, "any", False, None),
    ],
)
def test_the_type_of_a_value_is_what_its_schema_says_plainly(
    schema: Any, name: str, is_nullable: bool, items: str | None
) -> None:
    assert kind_of(DESCRIPTION, schema) == Kind(name, is_nullable, items)


def names(schema: Any) -> set[str] | None:
    members = members_of(DESCRIPTION, schema)
    return None if members is None else set(members.kinds)


def test_members_of_all_parts_are_joined() -> None:
    schema = {"allOf": [{"$ref": "#/Money"}, {"properties": {"currency": {"type": "string"}}}]}
    assert names(schema) == {"amount", "currency"}


def test_members_of_every_choice_may_be_there() -> None:
    schema = {
        "oneOf": [
            {"properties": {"to": {"type": "string"}, "by": {"type": "string"}}},
            {"properties": {"to": {"type": "integer"}}},
        ]
    }
    members = members_of(DESCRIPTION, schema)
    assert members is not None
    assert members.kinds == {"to": Kind("any", False, None), "by": Kind("string", False, None)}


def test_a_choice_of_conditions_adds_no_member() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert names(schema) == {"a", "b"}


def test_what_the_server_alone_writes_is_no_parameter() -> None:
    assert names({"properties": {"id": {"readOnly": True}, "name": {}}}) == {"name"}


@pytest.mark.parametrize("others", [True, {}, {"type": "string"}])
def test_an_object_that_says_so_takes_other_members(others: object) -> None:
    schema: Any = {"properties": {"a": {"type": "string"}}, "additionalProperties": others}
    assert members_of(DESCRIPTION, schema) == Members({"a": Kind("string", False, None)}, True)


def test_an_object_that_says_nothing_of_others_has_none() -> None:
    members = members_of(DESCRIPTION, {"type": "object"})
    assert members == Members({}, False)


@pytest.mark.parametrize("schema", [{"type": "array"}, {"oneOf": [{"$ref": "#/Money"}, {"type": "array"}]}, {}])
def test_what_may_be_no_object_has_no_members(schema: Any) -> None:
    assert members_of(DESCRIPTION, schema) is None


def test_a_schema_that_holds_itself_ends() -> None:
    assert names({"$ref": "#/Tree"}) == {"left"}
    assert names({"$ref": "#/Round"}) is None
