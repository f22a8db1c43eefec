"""What is told of agents and trusted issuers."""

from __future__ import annotations

import pytest

from aegis_authz.policy.lint.finding import Finding
from tests.support import linting

SECRET = 'agent_keys: [{hash: "sha256:' + "a" * 64 + '", ranges: [10.0.0.0/8]}]'
TRUST = (
    "trust: ci\nowner: o\nissuer: https://ci.example\naudience: a\njwks: https://ci.example/keys\n"
    'algorithms: [RS256]\nsubjects: [{claims: {sub: a}, agent: "%s"}]\n'
)


def findings(policies: str) -> list[Finding]:
    return linting.findings(policies, "")


def codes(policies: str) -> list[str]:
    return linting.codes(policies, "")


def agent(entry: str) -> str:
    return f"agents:\n  acme/emea/a: {{owner: o, {entry}}}\n"


def test_an_agent_with_a_key_of_its_own_is_fine() -> None:
    assert codes(agent("token_life: 60")) == []


@pytest.mark.parametrize(
    ("entry", "member"),
    [
        (f"ways: [agent_key], {SECRET}", "ways"),
        ("ways: [bound, agent_key]", "ways"),
        (SECRET, "agent_keys"),
    ],
)
def test_a_static_secret_is_told(entry: str, member: str) -> None:
    (finding,) = findings(agent(entry))
    assert (finding.code, finding.severity) == ("agent-key", "note")
    assert finding.problem.field == f"agents.acme/emea/a.{member}"


def test_an_agent_and_an_issuer_that_nobody_owns_are_told() -> None:
    assert codes("agents:\n  acme/emea/a: {token_life: 60}\n") == ["missing-owner"]
    assert codes((TRUST % "acme/emea/a").replace("owner: o\n", "")) == ["missing-owner"]


@pytest.mark.parametrize("name", ["{org}/emea/a", "acme/{tenant}/a", "{a}/{b}/{c}"])
def test_an_issuer_that_chooses_the_tenant_is_told(name: str) -> None:
    (finding,) = findings(TRUST % name)
    assert (finding.code, finding.severity) == ("trust-spans-tenants", "warning")
    assert finding.problem.field == "subjects[0].agent"


def test_an_issuer_that_names_an_agent_of_one_tenant_is_fine() -> None:
    assert codes(TRUST % "acme/emea/{workload}") == []
