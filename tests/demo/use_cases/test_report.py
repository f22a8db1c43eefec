from __future__ import annotations

import json
from dataclasses import replace

from aegis_authz.demo.use_cases.report import report_json, report_lines
from tests.support.made_outcome import EVENT, OUTCOME

REPORT = """\
A payment is refused.

  ✓ pay 50,000  deny             POLICY_DENIED           12 ms

Records (intact: 1 record in 1 log)
  authz-0 7   deny POLICY_DENIED: bank/treasury-agent, create_payment on payments {"amount": 50000}

The record of "pay 50,000"
  decision_id: d-1
  tenant: bank
  agent: treasury-agent
  tool: payments
  action: create_payment
  parameters: {"amount": 50000}
  effect: deny
  reason: POLICY_DENIED
  writer: authz-0
  seq: 7

Its span
  aegis.check, with opa evaluate, in trace d1
  event PolicyViolation
  aegis.decision_id: d-1
  aegis.reason: POLICY_DENIED

Metrics that moved
  aegis_calls_total{effect="deny"} +1

Panels that show it (deploy/grafana)
  Aegis: SOC, Denials: rate(aegis_calls_total[5m])

Alerts that fire (deploy/sigma)
  low: A call was denied (denied.yml)

Every call is as expected, and its evidence is there.
"""


def test_a_report_leads_from_the_calls_to_their_evidence() -> None:
    assert "\n".join(report_lines(OUTCOME)) + "\n" == REPORT


def test_records_that_say_the_same_are_a_line() -> None:
    events = [EVENT, {**EVENT, "seq": 8, "decision_id": "d-2"}]
    lines = list(report_lines(replace(OUTCOME, evidence=replace(OUTCOME.evidence, events=events))))
    [line] = [line for line in lines if line.endswith("(2 records)")]
    assert line.startswith("  authz-0 7 ")


def test_a_gap_is_told_at_the_end() -> None:
    lines = list(report_lines(replace(OUTCOME, evidence=replace(OUTCOME.evidence, spans=[]))))
    assert lines[-2:] == ["pay 50,000: no span that says POLICY_DENIED", "Not as expected: 1."]


def test_the_same_is_told_as_json() -> None:
    report = json.loads(report_json(OUTCOME))
    assert (report["use_case"], report["headline"], report["ok"]) == ("payments", "A payment is refused.", True)
    assert report["calls"][0]["reason"] == "POLICY_DENIED"
    assert report["spans"][0]["events"] == ["PolicyViolation"]
    assert report["alerts"][0]["rule"]["name"] == "denied"
