from __future__ import annotations

import pytest

from aegis_authz.core.scope import Scope
from aegis_authz.lab.first_call import FirstCall, first_call
from aegis_authz.policy.load import load

TOOL = """\
tool: crm
host: crm.example
actions:
  get_client:
    match: GET /clients/{id}
  update_client:
    match: PUT /clients/{id}
    parameters:
      name: {from: /client/name, type: string}
      age: {from: /client/age, type: integer}
      note: {from: /note, type: string, optional: true}
      id: {from: "{id}", type: string}
"""
MCP = "tool: github\nhost: github.example\nmcp: {}\n"


def tried(agent: str, rule: str) -> FirstCall | None:
    policy = f"org: acme\ntenant: '*'\nagent: {agent}\nallowed_tools:\n  - {rule}\n"
    return first_call(load({"a.yaml": policy}, {"crm.yaml": TOOL, "github.yaml": MCP}))


@pytest.mark.parametrize(
    ("rule", "method", "body"),
    [
        ("{name: crm, actions: [get_client]}", "GET", None),
        ("{name: crm, actions: [update_client]}", "PUT", {"client": {"name": "x", "age": 1}}),
        ("{name: crm, actions: ['*']}", "GET", None),
    ],
)
def test_a_call_that_a_rule_speaks_of_is_made_up(rule: str, method: str, body: object) -> None:
    call = tried("sales", rule)
    assert call == FirstCall(Scope("acme", "tenant", "sales"), method, "http://crm.example/clients/1", body)


@pytest.mark.parametrize(
    ("agent", "rule"),
    [
        ("sales-*", "{name: crm, actions: [get_client]}"),
        ("sales", "{name: github, actions: ['*']}"),
    ],
)
def test_where_nobody_is_named_and_for_mcp_there_is_none(agent: str, rule: str) -> None:
    assert tried(agent, rule) is None
