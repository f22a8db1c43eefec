"""Types and members as schemas of 3.0 and 3.1 say them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind, Members, described_members, kind_name, kind_of, members_of

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
        ({"type": ["string", 7]}, "any", False, None),
        ({"type": []}, "any", False, None),
        ({"type": ["array", "null"], "items": {"type": "integer"}}, "array", True, "integer"),
        ({"nullable": True}, "any", False, None),
        ({"oneOf": [{"nullable": True}, {"type": "string"}]}, "any", False, None),
        ({"allOf": [{"$ref": "#/Money"}], "nullable": True}, "object", True, None),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["string", "integer"]}]}, "string", False, None),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, "integer", False, None),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "any", False, None),
        ({"type": "string", "oneOf": [{"enum": ["a"]}, {"pattern": "b"}]}, "string", False, None),
        ({"type": "string", "enum": [True]}, "string", False, None),
        ({"type": "array", "items": {"type": ["integer", "number"]}}, "array", False, "number"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "array", False, None),
        ({"type": "array", "items": True}, "array", False, None),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, "array", False, None),
        (
            {"oneOf": [{"type": "array", "items": {"type": kind}} for kind in ("string", "integer")]},
            "array",
            False,
            None,
        ),
        ({"allOf": [{"type": "array"}, {"items": {"type": "string"}}]}, "array", False, "string"),
        ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}, "array", True, "string"),
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


def test_a_member_that_one_choice_lists_may_be_anything_in_an_open_one() -> None:
    listing: Any = {"type": "object", "properties": {"a": {"type": "string"}}}
    members = members_of(DESCRIPTION, {"anyOf": [listing, {"type": "object", "additionalProperties": True}]})
    assert members == Members({"a": Kind("any", False, None)}, True)


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


def test_a_member_of_several_parts_is_what_all_of_them_say() -> None:
    schema: Any = {
        "allOf": [
            {"properties": {"a": {"type": ["string", "null"]}, "b": {"type": "number"}, "c": {}}},
            {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}}},
        ]
    }
    members = members_of(DESCRIPTION, schema)
    assert members is not None
    assert {name: (kind.name, kind.is_nullable) for name, kind in members.kinds.items()} == {
        "a": ("string", False),
        "b": ("integer", False),
        "c": ("boolean", False),
    }


OPEN = {"type": "object", "properties": {"a": {}}, "additionalProperties": True}
CLOSED = {"type": "object", "properties": {"b": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "is_open"),
    [
        ({"allOf": [OPEN, CLOSED]}, False),
        ({"allOf": [OPEN, {"properties": {"b": {}}}]}, True),
        ({"allOf": [OPEN], "additionalProperties": False}, False),
        ({"allOf": [OPEN], "unevaluatedProperties": False}, False),
        ({"anyOf": [OPEN, CLOSED]}, True),
        ({"oneOf": [CLOSED, CLOSED], "additionalProperties": True}, False),
        ({"oneOf": [CLOSED, {"type": "object"}], "additionalProperties": True}, True),
        ({**CLOSED, "patternProperties": {"^x-": {}}}, False),
        ({"type": "object", "patternProperties": {"^x-": {}}}, True),
        ({"type": "object", "unevaluatedProperties": {"type": "string"}}, True),
    ],
)
def test_one_part_of_all_closes_an_object_and_one_choice_of_any_opens_it(schema: Any, is_open: bool) -> None:
    members = members_of(DESCRIPTION, schema)
    assert members is not None
    assert members.is_open is is_open


def test_what_a_condition_adds_may_be_there() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "if": {"properties": {"a": {"const": "x"}}},
        "then": {"properties": {"b": {"type": "string"}}},
        "else": {"properties": {"c": {"type": "string"}}},
        "dependentSchemas": {"a": {"properties": {"d": {"type": "string"}}}},
    }
    assert names(schema) == {"a", "b", "c", "d"}


def test_an_object_that_may_be_null_has_its_members() -> None:
    assert names({"oneOf": [{"$ref": "#/Money"}, {"type": "null"}]}) == {"amount"}
    assert names({"type": ["object", "null"], "properties": {"a": {}}}) == {"a"}
    assert names({"type": ["object", "null"]}) == set()


def test_what_stands_beside_a_reference_is_part_of_it() -> None:
    description = Description({**DESCRIPTION.document, "openapi": "3.1.0"})
    schema: Any = {"$ref": "#/Money", "properties": {"currency": {}, "id": {"$ref": "#/Money", "readOnly": True}}}
    members = members_of(description, schema)
    assert members is not None
    assert set(members.kinds) == {"amount", "currency"}


def test_a_description_that_branches_without_end_is_read_in_no_time() -> None:
    branching = {f"S{depth}": {"oneOf": [{"$ref": f"#/S{depth + 1}"}] * 8} for depth in range(30)}
    description = Description({**branching, "S30": {"type": "object", "properties": {"a": {"type": "string"}}}})
    assert kind_of(description, {"$ref": "#/S0"}).name == "object"
    members = members_of(description, {"$ref": "#/S0"})
    assert members == Members({"a": Kind("string", False, None)}, False)


def test_a_part_that_is_put_together_of_another_twice_is_read_in_no_time() -> None:
    doubling = {f"S{depth}": {"allOf": [{"$ref": f"#/S{depth + 1}"}] * 2} for depth in range(30)}
    lists = {"type": "array", "items": {"type": "string"}, "format": "binary"}
    description = Description({**doubling, "S30": lists})
    assert kind_of(description, {"$ref": "#/S0"}) == Kind("array", False, "string")
    members = described_members(description, {"properties": {"a": {"$ref": "#/S0"}}})
    assert lists in members["a"]


KINDS = ("string", "number", "integer", "boolean", "array", "null")  # an object says below whether it is open
INSTANCES: Any = st.recursive(
    st.sampled_from([None, True, False, 0, 3, 1.5, "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=5,
)


def _schemas(inner: Any) -> Any:
    properties = st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    several = st.lists(inner, min_size=1, max_size=2)
    return (
        st.fixed_dictionaries({"type": st.just("array")}, optional={"items": inner})
        | st.builds(
            lambda listed, others, parts: {
                "type": "object",
                "properties": listed,
                "additionalProperties": others,
                **parts,
            },
            properties,
            st.booleans(),
            st.fixed_dictionaries({}, optional={"allOf": several, "anyOf": several}),
        )
        | st.sampled_from(["allOf", "anyOf", "oneOf"]).flatmap(lambda word: st.fixed_dictionaries({word: several}))
    )


SCHEMAS: Any = st.recursive(
    st.sampled_from(KINDS).map(lambda kind: {"type": kind})
    | st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True).map(lambda kinds: {"type": kinds})
    | st.lists(st.sampled_from(["x", 3, 1.5, None, True]), min_size=1, max_size=2, unique_by=repr).map(
        lambda values: {"enum": values}
    )
    | st.just({}),
    _schemas,
    max_leaves=6,
)


def admits(kind: Kind, value: Any) -> bool:
    """Whether a call may have the value, by the kind of its parameter alone."""
    if kind.name == "any":
        return True
    if value is None:
        return kind.is_nullable
    name = kind_name(value)
    if kind.items is not None and name == "array":
        return all(admits(Kind(kind.items, False, None), element) for element in value)
    return name == kind.name or (name == "integer" and kind.name == "number")


@settings(max_examples=200)
@given(SCHEMAS, INSTANCES)
def test_whatever_a_schema_lets_pass_its_kind_lets_pass(schema: Any, instance: Any) -> None:
    if Draft202012Validator(schema).is_valid(instance):
        assert admits(kind_of(DESCRIPTION, schema), instance)


@settings(max_examples=200)
@given(SCHEMAS, st.dictionaries(st.sampled_from(["a", "b", "c"]), INSTANCES, max_size=3))
def test_an_object_that_a_schema_lets_pass_has_the_members_that_are_listed_or_it_is_open(
    schema: Any, instance: Any
) -> None:
    members = members_of(DESCRIPTION, schema)
    if members is None or kind_of(DESCRIPTION, schema).name != "object" or not schema_is_valid(schema, instance):
        return
    for name, value in instance.items():
        assert members.is_open or name in members.kinds
        assert name not in members.kinds or admits(members.kinds[name], value)


def schema_is_valid(schema: Any, instance: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(instance))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": "array", "properties": {"a": {}}},
        {"oneOf": [{"$ref": "#/Money"}, {"type": "array"}]},
        {},
    ],
)
def test_what_may_be_no_object_has_no_members(schema: Any) -> None:
    assert members_of(DESCRIPTION, schema) is None


def test_a_schema_that_holds_itself_ends() -> None:
    assert names({"$ref": "#/Tree"}) == {"left"}
    assert names({"$ref": "#/Round"}) is None
