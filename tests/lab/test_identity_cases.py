"""Tests of identity as code: how they are written, and every doubt an error of file and line."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.identity_cases import IdentityCase, identity_cases_of
from aegis_authz.lab.identity_trial import IdentityResult, identities_tried
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
KEY_ID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
"""The thumbprint of X (RFC 8037, appendix A.3)."""
DOCUMENTS = f"""\
agents:
  acme/emea/payer:
    owner: o
    keys: [{{kty: OKP, crv: Ed25519, x: {X}}}]
    ways: [bound, workload]
    spiffe: [spiffe://prod.example/ns/pay/sa/payer]
---
trust: ci
owner: o
issuer: https://ci.example
audience: aegis
discovery: true
algorithms: [RS256]
subjects:
  - {{claims: {{repository: acme/shop, protected: true}}, agent: acme/emea/shop}}
  - {{claims: {{group: workloads}}, agent: "acme/emea/{{workload}}"}}
  - {{claims: {{group: finance}}, agent: acme/emea/payer, on_behalf_of: email}}
---
trust: mesh
owner: o
kind: spiffe
issuer: spiffe://prod.example
audience: aegis
jwks: https://spiffe.example/bundle
algorithms: [ES256]
subjects:
  - {{claims: {{sub: "spiffe://prod.example/ns/shop/sa/agent"}}, agent: acme/emea/shop}}
"""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"identity.yaml": DOCUMENTS}, {})


def written(question: str, expectation: str) -> str:
    return f"identities:\n  - name: a test\n    {question}\n    expect: {expectation}\n"


def cases(text: str, loaded: Loaded) -> list[IdentityCase]:
    return identity_cases_of({"a_test.yaml": text}, loaded.identities)


def result(question: str, expectation: str, loaded: Loaded) -> IdentityResult:
    (outcome,) = identities_tried(loaded.identities, cases(written(question, expectation), loaded))
    return outcome


CI = "trust: ci\n    claims: "


@pytest.mark.parametrize(
    ("question", "expectation"),
    [
        (CI + "{repository: acme/shop, protected: true}", "{agent: acme/emea/shop}"),
        (CI + "{repository: acme/shop, protected: true}", "{agent: acme/emea/shop, ways: [token, bound]}"),
        (CI + "{repository: acme/shop, protected: 1}", "{refused: subject_unmatched}"),
        (CI + "{group: workloads, workload: report}", "{agent: acme/emea/report}"),
        (CI + "{group: workloads, workload: ../x}", "{refused: subject_name}"),
        (CI + "{group: finance, email: ann@acme.example}", "{agent: acme/emea/payer, on_behalf_of: ann@acme.example}"),
        (CI + "{group: finance, email: a@b.example}", "{agent: acme/emea/payer, ways: [workload, bound]}"),
        (CI + "{iss: https://evil.example}", "{refused: subject_issuer}"),
        (CI + "{aud: [other]}", "{refused: subject_audience}"),
        (CI + "{a: b}\n    without: [aud]", "{refused: subject_audience}"),
        (CI + "{exp: 5}", "{refused: subject_expired}"),
        (CI + "{iat: 1900000000, exp: 1900000060}", "{refused: subject_early}"),
        (CI + "{exp: 1800009999}", "{refused: subject_life}"),
        (CI + "{a: b}\n    without: [sub]", "{refused: subject_form}"),
        ("trust: mesh\n    claims: {sub: spiffe://prod.example/ns/shop/sa/agent}", "{agent: acme/emea/shop}"),
        ("trust: mesh\n    claims: {sub: spiffe://prod.example.evil/ns/shop/sa/agent}", "{refused: subject_issuer}"),
        ("spiffe: spiffe://prod.example/ns/pay/sa/payer", "{agent: acme/emea/payer}"),
        ("spiffe: spiffe://prod.example/ns/pay/sa/other", "{refused: unregistered}"),
        (f"key: {KEY_ID}", "{agent: acme/emea/payer}"),
        ("key: another", "{refused: unregistered}"),
    ],
)
def test_whom_the_documents_say_it_stands_for(question: str, expectation: str, loaded: Loaded) -> None:
    outcome = result(question, expectation, loaded)
    assert outcome.differences == ()
    assert outcome.passed


@pytest.mark.parametrize(
    ("question", "expectation", "members"),
    [
        (CI + "{repository: acme/shop, protected: true}", "{agent: acme/emea/other}", ["agent"]),
        (CI + "{repository: acme/shop, protected: true}", "{refused: subject_unmatched}", ["agent", "refused"]),
        (CI + "{repository: other}", "{agent: acme/emea/shop}", ["agent", "refused"]),
        (
            CI + "{group: finance, email: a@b.example}",
            "{agent: acme/emea/payer, on_behalf_of: c@d.example}",
            ["on_behalf_of"],
        ),
        (f"key: {KEY_ID}", "{agent: acme/emea/payer, ways: [bound]}", ["ways"]),
        (CI + "{exp: 5}", "{refused: subject_early}", ["refused"]),
    ],
)
def test_what_is_not_so_is_told_member_by_member(
    question: str, expectation: str, members: list[str], loaded: Loaded
) -> None:
    outcome = result(question, expectation, loaded)
    assert [difference.member for difference in outcome.differences] == members
    assert not outcome.passed


@pytest.mark.parametrize(
    ("question", "expectation", "message"),
    [
        ("trust: ci", "{agent: acme/emea/shop}", "trust and claims belong together"),
        ("claims: {sub: a}", "{agent: acme/emea/shop}", "must have one of trust with claims, spiffe and key"),
        (CI + "{a: b}\n    key: a", "{agent: acme/emea/shop}", "must have one of trust with claims, spiffe and key"),
        (
            "trust: cii\n    claims: {a: b}",
            "{agent: acme/emea/shop}",
            "no trust document is called 'cii'; did you mean 'ci'?",
        ),
        (CI + "{aud: a}\n    without: [aud]", "{refused: subject_form}", "without names claims that a token has"),
        ("key: a\n    without: [aud]", "{refused: unregistered}", "without names claims that a token has"),
        (CI + "{a: b}", "{ways: [bound]}", "must have either agent or refused"),
        (CI + "{a: b}", "{agent: acme/emea/shop, refused: subject_name}", "must have either agent or refused"),
        (CI + "{a: b}", "{refused: subject_name, ways: [bound]}", "stands for nobody"),
        (CI + "{a: b}", "{refused: subject_nme}", "is no refusal that documents give; did you mean 'subject_name'?"),
        (CI + "{a: b}", "{refused: subject_signature}", "is no refusal that documents give"),
        (CI + "{a: b}", "{agent: acme/shop}", "expect.agent"),
        (CI + "{a: b}", "{agent: acme/emea/shop, ways: [all]}", "expect.ways"),
        (CI + "{a: b}", "{agent: acme/emea/shop, way: bound}", "expect.way"),
        ("spiffe: https://prod.example", "{agent: acme/emea/shop}", "is not a SPIFFE id"),
    ],
)
def test_a_doubtful_test_is_an_error_with_its_place(
    question: str, expectation: str, message: str, loaded: Loaded
) -> None:
    with pytest.raises(PolicyErrors) as caught:
        cases(written(question, expectation), loaded)
    text = str(caught.value)
    assert message in text
    assert text.startswith("a_test.yaml:")


def test_two_tests_of_one_name_are_an_error(loaded: Loaded) -> None:
    one = written(CI + "{a: b}", "{refused: subject_unmatched}")
    with pytest.raises(PolicyErrors, match="another test of this file has this name"):
        cases(one + one.partition("\n")[2], loaded)


def test_they_stand_beside_tests_of_calls_in_one_file(loaded: Loaded) -> None:
    text = "tests: 5\n---\n" + written(CI + "{a: b}", "{refused: subject_unmatched}")
    assert [case.line for case in cases(text, loaded)] == [4]
    with pytest.raises(PolicyErrors) as caught:
        cases_of({"a_test.yaml": text}, loaded)
    problems: list[Any] = list(caught.value.problems)
    assert [problem.line for problem in problems] == [1]
