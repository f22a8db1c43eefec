from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.compile.schema_types import types_of
from aegis_authz.policy.language.document import PolicyDocument
from tests.support.forms import written_out

OBJECT = {"properties": {"v": {"type": "number"}}, "required": ["w"], "additionalProperties": {"maxLength": 3}}


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "number", "minimum": 5}, [4, 6.5], ["4", None, True, [4], {"v": 4}]),
        ({"type": "integer", "minimum": 5}, [4], [4.5, "4"]),
        ({"type": ["string", "null"]}, ["x", None], [4]),
        ({"maximum": 5}, [4, 9], ["9"]),
        ({"not": {"maximum": 5}}, [4, 9], ["9", None]),
        ({"pattern": "x"}, ["y"], [4, ["x"]]),
        ({"enum": ["a", 5]}, ["b", 4], [None, ["a"], True]),
        ({"const": None}, [None], ["a"]),
        ({"const": {"a": 1}}, [{}], ["{}"]),
        ({"const": [1]}, [[]], [1]),
        ({"enum": [True]}, [False], ["true", 1]),
        ({"items": {"type": "number"}}, [[], [4]], [["4"], "4"]),
        ({"contains": {"const": "x"}}, [[], ["y"]], [[4], "x"]),
        (OBJECT, [{"v": 4, "w": "x"}, {}, {"other": "x"}], [{"v": "4"}, {"V": 4}, {"W": 1}, {"other": 4}, "{}"]),
        ({"allOf": [{"minimum": 1}, {"required": ["a"]}]}, [], [4, {}]),
        ({"anyOf": [{"minimum": 1}, {"required": ["a"]}]}, [4, {}], ["4"]),
        ({"oneOf": [{"type": "string"}, False]}, ["x", 4], []),
        ({"title": "anything"}, ["x", 4, None], []),
    ],
)
def test_a_value_of_a_type_the_schema_is_not_about_is_none_of_its_types(
    schema: Any, right: list[Any], wrong: list[Any]
) -> None:
    validator = Draft7Validator(types_of(schema))
    assert [one for one in right if not validator.is_valid(one)] == []
    assert [one for one in wrong if validator.is_valid(one)] == []


def test_rules_that_deny_alone_carry_the_types(trust: Any) -> None:
    rule = {"name": "bank", "actions": ["pay"], "conditions": {"parameters": {"x": {"schema": {"minimum": 5}}}}}
    raw = {"org": "o", "tenant": "t", "agent": "a", "allowed_tools": [rule], "denied_tools": [rule]}
    data: Any = compile_policy([compiled_document(PolicyDocument.model_validate(raw))], [], trust, "").data
    (document,) = written_out(data["aegis"]["policies"])["o/t/a"]["enforce"]
    (allowing,), (denying,) = document["tools"]["bank"]["pay"], document["denied"]["bank"]["pay"]
    assert "types" not in allowing["values"][0]["checks"][0]
    assert denying["values"][0]["checks"][0]["types"]["properties"]["value"] == {"allOf": [{"type": ["number"]}]}
