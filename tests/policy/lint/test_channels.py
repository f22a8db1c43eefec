"""Places that the control plane does not have, where they are named."""

from __future__ import annotations

import pytest

from aegis_authz.policy.lint.run import linted
from tests.support.linting import DETECTORS, NOW, TOOL, document, findings, paying

CODE = "unknown-channel"


def told(by: str) -> list[tuple[str, str, str]]:
    found = findings(document(f"notify: {{reasons: [EGRESS_DENIED], by: {by}}}\n"))
    return [(entry.severity, entry.problem.field, entry.problem.message) for entry in found if entry.code == CODE]


@pytest.mark.parametrize("by", ["[log]", '["slack:#any"]', '["webhook:soc", log]'])
def test_a_place_that_is_there_is_no_finding(by: str) -> None:
    assert told(by) == []


def test_a_place_that_is_not_there_is_an_error_at_its_line() -> None:
    assert told('[log, "webhook:sco"]') == [
        ("error", "notify.by[1]", "the control plane's settings have no webhook:sco; those of webhook are soc")
    ]
    assert told('["email:soc@acme.example"]') == [
        ("error", "notify.by[0]", "the control plane's settings have no channel email")
    ]


def test_in_an_approval_it_is_a_warning() -> None:
    approval = 'approval: {groups: [x], always: true, notify: ["teams:payments"]}'
    (finding,) = [entry for entry in findings(paying("max_amount: 5", approval)) if entry.code == CODE]
    assert (finding.severity, finding.problem.field) == ("warning", "allowed_tools[0].approval.notify")


def test_where_it_is_not_known_which_places_there_are_nothing_is_said() -> None:
    text = document('notify: {reasons: [deny], by: ["teams:x"]}\n')
    assert CODE not in {entry.code for entry in linted({"p.yaml": text}, {"t.yaml": TOOL}, DETECTORS, NOW)}
