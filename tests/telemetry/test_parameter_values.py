from __future__ import annotations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aegis_authz.core.json_value import Json
from aegis_authz.core.telemetry_terms import ParameterDisplay
from aegis_authz.telemetry.parameter_values import ParameterAttributes

PAYMENT: dict[str, Json] = {"amount": 50000, "ssn": "123-45-6789"}


def shown(parameters: dict[str, Json], display: ParameterDisplay, key: bytes = b"k" * 32) -> dict[str, str]:
    attributes = Span.FromString(ParameterAttributes(lambda: (key,)).encoded(parameters, display)).attributes
    return {attribute.key: attribute.value.string_value for attribute in attributes}


@pytest.mark.parametrize("display", [ParameterDisplay.NONE, ParameterDisplay.NAMES])
def test_no_value_is_shown_where_only_names_may_be(display: ParameterDisplay) -> None:
    assert shown(PAYMENT, display) == {}


def test_clear_values_are_json_and_the_arguments_of_the_call() -> None:
    assert shown(PAYMENT, ParameterDisplay.CLEAR) == {
        "aegis.parameter.amount": "50000",
        "aegis.parameter.ssn": '"123-45-6789"',
        "gen_ai.tool.call.arguments": '{"amount":50000,"ssn":"123-45-6789"}',
    }


def test_hashed_values_are_equal_for_equal_values_of_one_mesh_and_say_nothing_else() -> None:
    hashed = shown(PAYMENT, ParameterDisplay.HASHED)
    assert hashed == shown(PAYMENT, ParameterDisplay.HASHED)
    assert set(hashed) == {"aegis.parameter.amount", "aegis.parameter.ssn"}
    assert all(digest.startswith("hmac-sha256:") and len(digest) == 44 for digest in hashed.values())
    assert set(hashed.values()).isdisjoint(shown(PAYMENT, ParameterDisplay.HASHED, b"another key").values())


def test_a_long_value_is_cut_and_then_no_whole_arguments_are_shown() -> None:
    text = shown({"note": "x" * 10_240}, ParameterDisplay.CLEAR)
    assert set(text) == {"aegis.parameter.note"}
    assert len(text["aegis.parameter.note"]) == 256


def test_of_very_many_parameters_the_first_are_shown() -> None:
    assert len(shown({f"p{number}": number for number in range(1000)}, ParameterDisplay.CLEAR)) == 32


@pytest.mark.parametrize("value", ["\ud800", 1 << 80, {"deep": ["\udfff"]}])
@pytest.mark.parametrize("display", [ParameterDisplay.HASHED, ParameterDisplay.CLEAR])
def test_a_value_that_json_cannot_hold_is_shown_all_the_same(value: Json, display: ParameterDisplay) -> None:
    assert "aegis.parameter.odd" in shown({"odd": value}, display)
