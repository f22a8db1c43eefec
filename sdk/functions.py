"""The documents of the meshes of both SDKs' tests: those of the examples, and functions that an agent calls."""

from __future__ import annotations

import shutil
from pathlib import Path

from aegis_authz.local.documents import example_documents

_PEOPLE = """\
tool: people
functions:
  find_person:
    parameters: {name: string, remark: {type: string, optional: true}}
  write_letter:
    parameters: {name: string}
  grant_leave:
    parameters: {name: string, days: number}
  raise_salary:
    cost: {fixed: 2, currency: USD}
    parameters: {name: string, percent: number}
"""
_PEOPLE_AGENT = """\
org: acme
tenant: emea
agent: people-agent
owner: people
allowed_tools:
  - name: people
    actions: [find_person]
    sanitize:
      request: {detectors: [us_ssn]}
      response: {detectors: [us_ssn], fields: [/notes]}
  - name: people
    actions: [write_letter]
    sanitize: {response: {detectors: [us_ssn]}}
  - name: people
    actions: [grant_leave]
    conditions: {approval_needed_over_days: 5}
    approval: {groups: [finance-approvers], expires_in: 900, hold: 30s}
  - name: people
    actions: [raise_salary]
limits:
  - budget: 10 USD/day
    tools: [people]
    actions: [raise_salary]
"""


def documents_with_functions(folder: Path) -> Path:
    """Writes them below the folder; returns where."""
    documents = folder / "policies"
    shutil.copytree(example_documents(), documents)
    (documents / "tools" / "people.yaml").write_text(_PEOPLE, "utf-8")
    (documents / "agents" / "people-agent.yaml").write_text(_PEOPLE_AGENT, "utf-8")
    return documents
