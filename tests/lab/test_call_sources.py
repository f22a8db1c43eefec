"""Calls out of files, each with its place or every problem with its own."""

from __future__ import annotations

import json

import pytest

from aegis_authz.lab.call_sources import PlacedCall, calls_of, one_call
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.tried_policies import POLICIES, TOOLS

LOADED = load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS})
CALL = {"agent": "acme/emea/payer", "tool": "payments-api", "action": "pay", "parameters": {"amount": 5}}
ONE = "agent: acme/emea/payer\ntool: payments-api\naction: pay\nparameters: {amount: 5}\n"
LINE = json.dumps(CALL)


def read(text: str, path: str = "calls.yaml") -> list[PlacedCall]:
    return calls_of(path, text, LOADED)


def wrong(text: str, path: str = "calls.yaml") -> list[tuple[int, int, str, str]]:
    with pytest.raises(PolicyErrors) as raised:
        calls_of(path, text, LOADED)
    return [(one.line, one.column, one.field, one.message) for one in raised.value.problems]


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("calls.yaml", ONE, [1]),
        ("calls.yaml", f"{ONE}---\n{ONE}", [1, 6]),
        ("calls.yaml", f"- {LINE}\n\n- {LINE}\n", [1, 3]),
        ("calls.yaml", f"call: {LINE}\n", [1]),
        ("calls.yaml", f"- call: {LINE}\n- {LINE}\n", [1, 2]),
        ("calls.json", json.dumps([CALL, CALL], indent=1), [2, 10]),
        ("calls.json", LINE, [1]),
        ("calls.jsonl", f"{LINE}\n\n{LINE}\n", [1, 3]),
        ("standard input", f"{LINE}\n{LINE}\r\n{LINE}", [1, 2, 3]),
    ],
)
def test_calls_are_read_in_every_form_with_their_lines(path: str, text: str, lines: list[int]) -> None:
    found = read(text, path)

    assert [one.line for one in found] == lines
    assert {one.call.parameters["amount"] for one in found} == {5}
    assert {one.path for one in found} == {path}


def test_a_line_may_hold_whatever_json_can() -> None:
    [one] = read(json.dumps({**CALL, "parameters": {"amount": None, "payee": "\U0001f600"}}), "calls.jsonl")

    assert one.call.parameters == {"amount": None, "payee": "\U0001f600"}


def test_every_wrong_call_of_a_list_is_told_with_its_place() -> None:
    told = wrong(f"- {LINE}\n- {{agent: acme/emea, tool: payments-api, action: pay}}\n- {{agent: a/b/c, toool: x}}\n")

    assert told[0][:3] == (2, 11, "[1].agent")
    assert (3, 18, "[2].toool", "unknown key 'toool'; did you mean 'tool'?") in told


def test_every_wrong_line_is_told_with_its_place() -> None:
    told = wrong(f'{LINE}\n{{"agent": "acme/emea/payer",}}\n[]\n{LINE[:-1]}, "tool": "x"}}\n', "calls.jsonl")

    assert [one[0] for one in told] == [2, 3, 4]
    assert told[0][3] == "not JSON: a comma after the last member is not allowed"
    assert told[1][3] == "the JSON text is not an object"
    assert told[2][2:] == ("tool", "given twice; first on line 4")


@pytest.mark.parametrize(
    ("member", "value", "field", "message"),
    [
        ("tool", "payment-api", "tool", "no tool 'payment-api' in the catalogue; did you mean 'payments-api'?"),
        ("action", "pai", "action", "tool 'payments-api' has no action 'pai'; did you mean 'pay'?"),
        (
            "parameters",
            {"amont": 5},
            "parameters.amont",
            "action 'pay' declares no parameter 'amont'; did you mean 'amount'?",
        ),
    ],
)
@pytest.mark.parametrize("path", ["calls.yaml", "calls.jsonl"])
def test_what_the_catalogue_does_not_have_is_a_problem(
    path: str, member: str, value: object, field: str, message: str
) -> None:
    assert [one[2:] for one in wrong(json.dumps({**CALL, member: value}), path)] == [(field, message)]


def test_names_that_differ_in_case_alone_are_refused_as_the_mesh_refuses_them() -> None:
    line = json.dumps(
        {"agent": "acme/emea/reader", "tool": "records-api", "action": "read", "parameters": {"a": 1, "A": 2}}
    )

    assert wrong(f"{line}\n", "calls.jsonl") == [(1, 1, "", "an object names a member twice")]


@pytest.mark.parametrize(("path", "text"), [("calls.yaml", ""), ("calls.yaml", "[]"), ("calls.jsonl", "\n\n")])
def test_a_file_without_calls_is_a_problem(path: str, text: str) -> None:
    assert [one[3] for one in wrong(text, path)] == ["holds no call"]


def test_a_text_is_no_call() -> None:
    assert [one[3] for one in wrong("hello\n")] == ["must be a mapping, not the text 'hello'"]


def test_a_list_too_large_to_be_read_names_the_way_out() -> None:
    [problem] = wrong("[" + ",\n".join([LINE] * 20_000) + "]", "calls.json")

    assert problem[3] == "larger than 1048576 bytes; write one call on each line of a .jsonl file"


def test_many_lines_have_no_such_limit() -> None:
    assert len(read("\n".join([LINE] * 20_000), "calls.jsonl")) == 20_000


def test_many_wrong_lines_end_in_one_sentence() -> None:
    told = wrong("{}\n" * 5000, "calls.jsonl")

    assert len(told) == 101
    assert told[-1][3] == "more problems follow in this file"


def test_one_call_is_exactly_one() -> None:
    assert one_call("call.yaml", ONE, LOADED).line == 1
    with pytest.raises(PolicyErrors, match=r"call\.yaml:6:1: holds 2 calls; only one can be explained at once"):
        one_call("call.yaml", f"{ONE}---\n{ONE}", LOADED)
