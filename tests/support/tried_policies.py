"""A small policy folder with tests, for whatever runs policy tests."""

from __future__ import annotations

from pathlib import Path

TOOLS = """\
tool: payments-api
host: payments.example
actions:
  pay:
    match: POST /payments
    parameters:
      amount: {from: /amount, type: number}
      payee: {from: /payee, type: string}
  refund: {match: POST /refunds}
---
tool: records-api
host: records.example
actions:
  read: {match: "GET /records/{id}"}
"""

POLICIES = """\
template: house-rules
denied_tools:
  - {name: payments-api, actions: [refund]}
---
org: acme
tenant: emea
agent: payer
name: paying
extends: house-rules
allowed_tools:
  - name: payments-api
    actions: [pay]
    conditions:
      max_amount: 100
      parameters:
        payee:
          in: [ACME, Globex]
          else: approval_needed
    approval: {groups: [finance]}
---
org: acme
tenant: emea
agent: reader
name: reading
allowed_tools:
  - name: records-api
    actions: [read]
    sanitize:
      response: {detectors: [us_ssn], fields: [/notes]}
"""

TESTS = """\
tests:
  - name: a small payment is allowed
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {amount: 100, payee: ACME}}
    expect:
      effect: allow
      reason: ALLOWED
      policies: [paying]
      obligations: []
      findings: []
  - name: a large payment is denied
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {amount: 100.01, payee: Globex}}
    expect: {effect: deny, findings: [amount max]}
  - name: a stranger is paid after an approval
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {amount: 1, payee: Initech}}
    expect: {effect: approval_needed, findings: [payee in], approval: {groups: [finance]}}
  - name: records leave without numbers
    call: {agent: acme/emea/reader, tool: records-api, action: read}
    expect:
      effect: sanitize
      obligations:
        - {kind: redact, target: response, detectors: [us_ssn], fields: [/notes]}
"""

MORE_TESTS = """\
tests:
  - name: nothing is refunded
    call: {agent: acme/emea/payer, tool: payments-api, action: refund}
    expect: {effect: deny, findings: ["house-rules:denied_tools[0] denied"]}
  - name: Globex is paid
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {amount: 5, payee: Globex}}
    expect: {effect: allow}
  - name: nobody is paid
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {amount: 5}}
    expect: {effect: deny, reason: PARAMETER_MISSING}
  - name: nothing is no payment
    call: {agent: acme/emea/payer, tool: payments-api, action: pay, parameters: {payee: ACME}}
    expect: {effect: deny, reason: PARAMETER_MISSING}
"""
"""With these no mutant survives."""


def written_folders(folder: Path, *tests: str) -> tuple[Path, Path]:
    """The documents and these files of tests below a folder; returns the folders of policies and tools."""
    policies, tools = folder / "policies", folder / "tools"
    policies.mkdir()
    tools.mkdir()
    (policies / "agents.yaml").write_text(POLICIES, "utf-8")
    (tools / "tools.yaml").write_text(TOOLS, "utf-8")
    for number, text in enumerate(tests):
        (policies / f"part{number}_test.yaml").write_text(text, "utf-8")
    return policies, tools
