"""The catalogue in a bundle: what is written is read, also what was written before all of it could be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, OperationTerms, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data

PAY = Action("pay", "POST", ("v1",), (), False, JSON_ALONE, ONE_OPERATION)
TOOL = Tool("bank", "bank.example", None, "", (PAY,), "", "", None, False, False, NO_INTERFACE)


def data(tool: Tool = TOOL) -> dict[str, Json]:
    (entry,) = tools_to_data([tool])
    assert isinstance(entry, dict)
    return entry


def test_a_bundle_that_does_not_say_what_could_not_be_said_yet_asks_for_none_of_it() -> None:
    older = {name: value for name, value in data().items() if name not in ("decode", "websocket")}
    assert tools_from_data([older]) == (TOOL,)


def test_what_is_not_asked_for_is_not_said_so_that_older_authorizers_read_the_rest() -> None:
    assert "operations" not in data()["actions"][0]  # type: ignore[index,operator]  # a list of objects
    terms = OperationTerms(3, {"a": "{ a }"}, False)
    tool = replace(TOOL, actions=(replace(PAY, operations=terms),))
    assert tools_from_data([data(tool)]) == (tool,)


@pytest.mark.parametrize("name", ["name", "host", "actions", "upstream", "mcp_tools"])
def test_all_else_is_said(name: str) -> None:
    with pytest.raises(ValueError, match="a tool is not an object of"):
        tools_from_data([{key: value for key, value in data().items() if key != name}])


@pytest.mark.parametrize(
    "operations",
    [
        {"batch": 0, "persisted": {}, "texts": True},
        {"batch": True, "persisted": {}, "texts": True},
        {"batch": 1, "persisted": {"a": ""}, "texts": True},
        {"batch": 1, "persisted": [], "texts": True},
        {"batch": 1, "persisted": {}, "texts": "allow"},
        {"batch": 1, "persisted": {}},
        [],
    ],
)
def test_terms_of_operations_are_read_strictly(operations: Json) -> None:
    (action,) = data()["actions"]  # type: ignore[misc,union-attr]  # a list of one
    with pytest.raises(ValueError, match=r"."):
        tools_from_data([{**data(), "actions": [{**action, "operations": operations}]}])  # type: ignore[dict-item]  # an object
