from __future__ import annotations

from aegis_authz.lab.identity_cases import identity_cases_of
from aegis_authz.lab.identity_coverage import identity_coverage
from aegis_authz.policy.load import load

TRUST = """\
trust: ci
owner: o
issuer: https://ci.example
audience: aegis
discovery: true
algorithms: [RS256]
subjects:
  - {claims: {repository: acme/shop}, agent: acme/emea/shop}
  - {claims: {group: workloads}, agent: "acme/emea/{workload}"}
  - {claims: {repository: acme/shop, ref: main}, agent: acme/emea/never}
"""
TESTS = """\
identities:
  - {name: the shop, trust: ci, claims: {repository: acme/shop, ref: main}, expect: {agent: acme/emea/never}}
  - {name: no name, trust: ci, claims: {group: workloads, workload: ../x}, expect: {refused: subject_name}}
  - {name: elsewhere, trust: ci, claims: {group: workloads, workload: w, aud: x}, expect: {refused: subject_audience}}
  - {name: a key, key: abc, expect: {refused: unregistered}}
"""


def test_an_entry_is_tried_by_a_token_that_stands_for_its_agent() -> None:
    identities = load({"trust.yaml": TRUST}, {}).identities
    (covered,) = identity_coverage(identities, identity_cases_of({"a_test.yaml": TESTS}, identities))
    assert (covered.document, covered.rules, covered.rules_reached, covered.sides) == ("trust ci", 3, 1, 0)
    # the third is never reached: the first matches whatever it would
    assert [(gap.line, gap.rule) for gap in covered.gaps] == [(9, "subjects[1]"), (10, "subjects[2]")]


def test_without_tests_nothing_of_a_trust_is_tried() -> None:
    identities = load({"trust.yaml": TRUST}, {}).identities
    (covered,) = identity_coverage(identities, [])
    assert (covered.rules_reached, len(covered.gaps), covered.percent) == (0, 3, 0.0)
