"""The compiled rules over exported events; what each fires on is in tests/deploy/test_sigma.py."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.demo.use_cases.sigma import alerts, sigma_rules
from aegis_authz.local.documents import sigma_folder

RULES = sigma_rules(sigma_folder())


def decision(reason: str, **members: Json) -> dict[str, Json]:
    return {"kind": "decision", "effect": "deny", "reason": reason, **members}


def test_only_the_rules_that_fire_are_told_with_their_hits() -> None:
    events = [decision("EGRESS_DENIED"), decision("EGRESS_DENIED"), decision("POLICY_DENIED")]
    assert [(alert.rule.name, alert.rule.level, alert.hits) for alert in alerts(RULES, events)] == [
        ("destination-outside-the-allowlist", "high", 2)
    ]


def test_a_parameter_of_any_name_is_a_column() -> None:
    event = decision("ALLOWED", effect="allow", parameters={"path": "/etc/passwd", 'a"); DROP TABLE logs; --': [1]})
    assert [alert.rule.name for alert in alerts(RULES, [event])] == ["write-below-etc"]


def test_names_that_differ_in_capitals_alone_are_a_column() -> None:
    assert alerts(RULES, [decision("ALLOWED", effect="allow", parameters={"Amount": 1, "amount": 2})]) == []


def test_no_rule_fires_on_nothing() -> None:
    assert alerts(RULES, []) == []
