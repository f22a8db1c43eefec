"""What is shown of a held call is all of it, and reads back as the same call or as none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from aegis_authz.approvals.statement import is_statement_of, statement, statement_text
from aegis_authz.core.approval import ApprovalRequest
from tests.support.held_calls import REQUEST, requests


@given(requests())
def test_the_text_of_any_call_is_plain_ascii_and_says_that_call(request_: ApprovalRequest) -> None:
    text = statement_text(request_)
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert is_statement_of(text, request_)


@given(requests(), requests())
def test_the_text_of_one_call_is_not_that_of_another(first: ApprovalRequest, second: ApprovalRequest) -> None:
    is_same = statement_text(first) == statement_text(second)
    assert is_statement_of(statement_text(first), second) is is_same


@pytest.mark.parametrize(
    ("field", "value"),
    [("tool", "github"), ("action", "refund"), ("digest", "e"), ("parameters", {"amount": 7001}), ("besides", {})],
)
def test_every_part_counts(field: str, value: object) -> None:
    changed = replace(REQUEST, **{field: value})  # type: ignore[arg-type]
    assert statement(changed) != statement(REQUEST)
    assert not is_statement_of(statement_text(changed), REQUEST)


def test_a_text_that_is_cut_doubled_or_holds_what_hides_is_not_the_call() -> None:
    text = statement_text(REQUEST)
    lines = text.split("\n")
    assert is_statement_of(text, REQUEST)
    for altered in (
        "",
        "null",
        text[:-2],
        "\n".join(line for line in lines if '"amount"' not in line),
        text.replace('"action"', '"action": "refund",\n  "action"'),
        text.replace("7000", "70000"),
        text.replace("ACME", "AC\u202eME"),
        text.replace("ACME", "AC\u0441ME"),
        text.replace("\n", "\r\n"),
        "[" * 100_000,
    ):
        assert not is_statement_of(altered, REQUEST), altered[:60]
