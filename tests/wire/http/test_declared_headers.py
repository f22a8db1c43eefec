from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.declared_headers import header_text
from aegis_authz.wire.http.tool_call import read_tool_call

ACCOUNT = Parameter("account", ParameterSource.HEADER, "x-account", ParameterType.STRING, False, None)
LIMIT = Parameter("limit", ParameterSource.HEADER, "x-limit", ParameterType.INTEGER, False, None)
AMOUNT = Parameter("amount", ParameterSource.BODY, "/amount", ParameterType.NUMBER, False, None)
PAY = Action("pay", "POST", ("pay",), (ACCOUNT, AMOUNT, LIMIT), False, JSON_ALONE, ONE_OPERATION)
CATALOGUE = Catalogue.of((Tool("bank", "bank.example", None, "", (PAY,), "", "", None, False, False, NO_INTERFACE),))


def request(*headers: tuple[str, str]) -> HttpCall:
    def values_of(name: str) -> tuple[str, ...]:
        return tuple(value for key, value in headers if key == name)

    body = b'{"amount":1}'
    return HttpCall(
        "", "POST", "http", "bank.example", None, "/pay", "", {}, body, "", "", "", "", "", False, values_of
    )


def test_a_declared_header_is_a_parameter_of_its_type() -> None:
    call = read_tool_call(request(("x-account", "a-7"), ("x-limit", "3"), ("x-more", "unseen")), CATALOGUE)
    assert call.parameters == {"account": "a-7", "limit": 3, "amount": 1}


def test_an_absent_header_is_an_absent_parameter() -> None:
    assert read_tool_call(request(("x-account", "a-7")), CATALOGUE).parameters == {"account": "a-7", "amount": 1}


def test_an_approval_of_a_call_is_not_one_of_the_call_with_another_declared_header() -> None:
    call, same, rival, bare = (
        read_tool_call(request(*headers), CATALOGUE).digest
        for headers in (
            [("x-account", "a-7")],
            [("x-account", "a-7"), ("x-trace", "1")],
            [("x-account", "a-8")],
            [],
        )
    )
    assert call == same and len({call, rival, bare}) == 3


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("x-account", "a-7"), ("x-account", "a-8")], Reason.DUPLICATE_KEY),
        ([("x-account", "a-7"), ("x-account", "a-7")], Reason.DUPLICATE_KEY),
        ([("x-account", "a\u00e9")], Reason.MALFORMED_CALL),
        ([("x-account", "a\tb")], Reason.MALFORMED_CALL),
        ([("x-account", " a")], Reason.MALFORMED_CALL),
        ([("x-account", "a ")], Reason.MALFORMED_CALL),
        ([("x-account", " ")], Reason.MALFORMED_CALL),
        ([("x-limit", "3e0")], Reason.PARAMETER_TYPE),
        ([("x-limit", "three")], Reason.PARAMETER_TYPE),
        ([("x-limit", "")], Reason.PARAMETER_TYPE),
    ],
)
def test_a_header_of_two_readings_is_refused(headers: list[tuple[str, str]], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_tool_call(request(*headers), CATALOGUE)
    assert refused.value.reason is reason
    assert refused.value.fault is not None and refused.value.fault.where == "headers"


@given(st.lists(st.text(), max_size=3))
def test_a_header_is_a_text_of_printable_ascii_or_absent_or_refused(values: list[str]) -> None:
    try:
        text = header_text("x-account", lambda _: tuple(values))
    except Refused as refusal:
        assert refusal.reason in (Reason.DUPLICATE_KEY, Reason.MALFORMED_CALL)
    else:
        assert text is None if not values else text is not None and text.isascii() and text.isprintable()
