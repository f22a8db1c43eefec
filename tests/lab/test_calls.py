"""Calls that are tried are asked about as the mesh would ask."""

from __future__ import annotations

from typing import Any

from aegis_authz.core.catalogue import (
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.lab.calls import TriedCall, question_of

NOTE = Parameter("note", ParameterSource.BODY, "/note", ParameterType.STRING, True, None)
PAYEE = Parameter("payee", ParameterSource.BODY, "/payee", ParameterType.STRING, False, None)
BANK = Tool(
    "bank",
    "bank.example",
    None,
    "",
    (
        Action("pay", "POST", ("pay",), (NOTE, PAYEE), False, JSON_ALONE, ONE_OPERATION),
        Action("get", "POST", ("get",), (), False, JSON_ALONE, ONE_OPERATION),
    ),
    "",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)


def asked(tool: str, action: str) -> Any:
    call = TriedCall(agent="o/t/a", tool=tool, action=action, parameters={"note": None, "payee": None})
    question: Any = question_of(call, Catalogue.of((BANK,)))
    return question["action"]["properties"]


def test_null_is_no_parameter_that_the_catalogue_lists_as_optional() -> None:
    assert asked("bank", "pay") == {"payee": None}


def test_elsewhere_null_is_a_value() -> None:
    assert asked("bank", "get") == asked("bank", "unknown") == asked("other", "pay") == {"note": None, "payee": None}
