"""Policy tests as written, read strictly."""

from __future__ import annotations

import pytest

from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.tried_policies import MORE_TESTS, POLICIES, TESTS, TOOLS

PAY = "agent: acme/emea/payer, tool: payments-api, action: pay"


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS})


def one_test(call: str, expect: str, name: str = "it") -> str:
    return f"tests:\n  - name: {name}\n    call: {{{call}}}\n    expect: {{{expect}}}\n"


def told(loaded: Loaded, text: str) -> list[str]:
    """What is wrong with a file of tests, without the excerpts."""
    with pytest.raises(PolicyErrors) as caught:
        cases_of({"a_test.yaml": text}, loaded)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def only(cases: list[Case]) -> Case:
    assert len(cases) == 1
    return cases[0]


def test_tests_are_read_in_order_of_file_and_place(loaded: Loaded) -> None:
    cases = cases_of({"b_test.yaml": MORE_TESTS, "a_test.yaml": TESTS}, loaded)

    assert [case.path for case in cases] == ["a_test.yaml"] * 4 + ["b_test.yaml"] * 4
    assert cases[0].name == "a small payment is allowed"


def test_a_test_knows_its_line_and_those_of_its_expectations(loaded: Loaded) -> None:
    case = cases_of({"a_test.yaml": TESTS}, loaded)[0]

    assert case.line == 2
    assert case.lines == {"effect": 5, "reason": 6, "policies": 7, "obligations": 8, "findings": 9}


@pytest.mark.parametrize(
    ("call", "expect", "message"),
    [
        (PAY, "effect: alow", "4:22: tests[0].expect.effect: 'alow' is no effect; did you mean 'allow'?"),
        (
            PAY,
            "effect: allow, reason: ALOWED",
            "4:37: tests[0].expect.reason: 'ALOWED' is no reason that policy gives; did you mean 'ALLOWED'?",
        ),
        (
            PAY,
            "effect: deny, reason: ALLOWED",
            "4:13: tests[0].expect: ALLOWED is a reason for allow, never for deny",
        ),
        (PAY, "effect: deny, reasn: x", "4:28: tests[0].expect.reasn: unknown key 'reasn'; did you mean 'reason'?"),
        (
            PAY.replace("payments-api", "payment-api"),
            "effect: deny",
            "3:42: tests[0].call.tool: no tool 'payment-api' in the catalogue; did you mean 'payments-api'?",
        ),
        (
            "agent: acme/emea/payer, tool: payments-api, action: refnd",
            "effect: deny",
            "3:64: tests[0].call.action: tool 'payments-api' has no action 'refnd'; did you mean 'refund'?",
        ),
        (
            PAY + ", parameters: {amuont: 5}",
            "effect: deny",
            "3:82: tests[0].call.parameters.amuont: action 'pay' declares no parameter 'amuont'; did you mean 'amount'?",
        ),
        (
            PAY,
            "effect: deny, policies: [payng]",
            "4:39: tests[0].expect.policies[0]: no policy is called 'payng'; did you mean 'paying'?",
        ),
        (
            "agent: acme/emea/payer, host: records.example",
            "effect: deny",
            "3:42: tests[0].call.host: tool 'records-api' answers there; write its tool and action",
        ),
        (
            PAY,
            "effect: allow, approval: {groups: [finance]}",
            "4:13: tests[0].expect: only approval_needed asks for an approval, not allow",
        ),
        (
            PAY,
            "effect: deny, findings: [amount]",
            "4:39: tests[0].expect.findings[0]: 'amount' is not a parameter and a condition, such as \"amount max\"",
        ),
    ],
)
def test_a_name_nobody_knows_is_an_error_with_its_place(loaded: Loaded, call: str, expect: str, message: str) -> None:
    assert told(loaded, one_test(call, expect)) == [f"a_test.yaml:{message}"]


def test_obligations_name_the_members_of_their_kind(loaded: Loaded) -> None:
    [lacking] = told(loaded, one_test(PAY, "effect: sanitize, obligations: [{kind: redact}]"))
    [strange] = told(
        loaded, one_test(PAY, 'effect: allow, obligations: [{kind: set_header, name: h, value: "1", fields: []}]')
    )

    assert lacking.endswith("tests[0].expect.obligations[0]: redact needs 'target'")
    assert strange.endswith("tests[0].expect.obligations[0]: set_header has no 'fields'; it has name, value")


def test_lists_of_an_obligation_may_be_left_out(loaded: Loaded) -> None:
    text = one_test(PAY, "effect: sanitize, obligations: [{kind: redact, target: request, fields: [/b, /a]}]")

    expected = only(cases_of({"a_test.yaml": text}, loaded)).expect.obligations

    assert expected is not None
    assert expected[0].data == {"kind": "redact", "target": "request", "detectors": [], "fields": ["/a", "/b"]}


def test_a_name_can_be_given_once_a_file(loaded: Loaded) -> None:
    call = one_test(PAY, "effect: allow")
    twice = call + call.removeprefix("tests:\n")

    assert told(loaded, twice) == ["a_test.yaml:5:11: tests[1].name: another test of this file has this name"]
    assert len(cases_of({"a_test.yaml": call, "b_test.yaml": call}, loaded)) == 2


def test_all_problems_of_all_files_are_told_at_once(loaded: Loaded) -> None:
    with pytest.raises(PolicyErrors) as caught:
        cases_of({"a_test.yaml": "tests: 5\n", "b_test.yaml": "test: []\n", "c_test.yaml": "a: *b\n"}, loaded)

    assert {problem.path for problem in caught.value.problems} == {"a_test.yaml", "b_test.yaml", "c_test.yaml"}


def test_a_server_whose_tools_are_not_listed_takes_any_action(loaded: Loaded) -> None:
    server = "tool: github\nhost: github.example\nmcp: {}\n"
    known = load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS, "github.yaml": server})
    text = one_test("agent: acme/emea/payer, tool: github, action: whatever, parameters: {x: 1}", "effect: deny")

    assert only(cases_of({"a_test.yaml": text}, known)).call.action == "whatever"
