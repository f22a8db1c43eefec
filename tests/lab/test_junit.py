"""JUnit XML that any reader takes, whatever the names are."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from aegis_authz.core.decision import denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import Case, Expected
from aegis_authz.lab.junit import junit_of_outcomes, junit_of_problems
from aegis_authz.lab.trial import CaseResult, differences
from aegis_authz.policy.source.problems import Problem

HOSTILE = "]]> <evil a=\"b\" c='d'/> &amp; \x00 \x1b[31m \ud800 \ufffe \U0001f600"
SAID = "]]> <evil a=\"b\" c='d'/> &amp; \ufffd \ufffd[31m \ufffd \ufffd \U0001f600"


def outcome(name: str, path: str, effect: Effect) -> CaseResult:
    case = Case(name, TriedCall(agent="o/t/a", host="h.example"), Expected(effect=effect.value), path, 7, {})
    decided = denied(Reason.EGRESS_DENIED, "", "r")
    return CaseResult(case, decided, differences(case, decided))


def test_each_file_is_a_suite_and_each_failure_says_why() -> None:
    right, wrong = outcome("right", "a_test.yaml", Effect.DENY), outcome("wrong", "b_test.yaml", Effect.ALLOW)

    root = Xml.fromstring(junit_of_outcomes([(right, ""), (wrong, "expected allow")]))  # noqa: S314  # our own

    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")
    assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in root] == [
        ("a_test.yaml", "1", "0"),
        ("b_test.yaml", "1", "1"),
    ]
    [failure] = root.iter("failure")
    assert (failure.text, failure.get("message")) == ("expected allow", "effect is not as expected")
    assert [case.get("line") for case in root.iter("testcase")] == ["7", "7"]


def test_hostile_names_stay_names() -> None:
    failing = outcome(HOSTILE, HOSTILE, Effect.ALLOW)

    root = Xml.fromstring(junit_of_outcomes([(failing, HOSTILE)]))  # noqa: S314

    [case] = root.iter("testcase")
    [failure] = root.iter("failure")
    assert (case.get("name"), case.get("file"), failure.text) == (SAID, SAID, SAID)
    assert [element.tag for element in root.iter()] == ["testsuites", "testsuite", "testcase", "failure"]


def test_what_cannot_be_read_is_an_error() -> None:
    problems = [Problem("b.yaml", 2, 1, "", HOSTILE), Problem("a.yaml", 1, 1, "tests", "is required")]

    root = Xml.fromstring(junit_of_problems(problems))  # noqa: S314

    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "0", "2")
    assert [one.get("message") for one in root.iter("error")] == ["is required", SAID]


def test_nothing_tried_is_well_formed() -> None:
    assert Xml.fromstring(junit_of_outcomes([])).get("tests") == "0"  # noqa: S314
