"""`aegis doctor --dir`: proves a running mesh with real calls through its proxy.

The calls are those of an agent and a tool of Aegis itself (`local/probe`), so that they work with any
policies: each has one right answer, and names the control that gives it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import httpx

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.scope import Scope
from aegis_authz.local.doctor_tool import WITHDRAWN, DoctorTool, doctor_tool_at
from aegis_authz.wire.status_codes import STATUS_CODES

PROBER = Scope("aegis-doctor", "self", "prober")
"""Who the doctor calls as."""

_TOOL = "http://doctor.aegis.internal"
_TIMEOUT = 5.0
_EXCERPT = 200
_SMALL, _MEDIUM, _LARGE = 10, 75, 1000
_NOTE = {"note": f"SSN {WITHDRAWN}", "kind": "visit"}


@dataclass(frozen=True, slots=True)
class DoctorPowers:
    """What the doctor may do that an agent may not.

    `mint` makes a token of the prober, `forge` one signed by a key nobody trusts. `reason_of` finds a
    decision's reason in the records ("" when it is not there); `refuse` denies a held call and tells its state.
    """

    mint: Callable[[], str]
    forge: Callable[[], str]
    reason_of: Callable[[str], str]
    refuse: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Proof:
    """One call and its answer. `trouble` is "" when everything about it was as it must be."""

    call: str
    control: str
    expected: str
    answer: str
    reason: str
    decision_id: str
    ms: float
    trouble: str


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    decision: str
    decision_id: str
    approval_id: str
    body: str
    ms: float
    fault: str


class Prober:
    """Makes the doctor's calls, one after another."""

    def __init__(self, client: httpx.AsyncClient, tool: DoctorTool, powers: DoctorPowers) -> None:
        self._client = client
        self._tool = tool
        self._powers = powers

    async def prove(self) -> list[Proof]:
        """Make every call; returns what was proved, in order."""
        token = self._powers.mint()
        steps: list[Callable[[], Awaitable[Proof]]] = [
            lambda: self._allowed(token),
            self._denied,
            self._sanitized,
            self._approval_needed,
            lambda: self._replayed(token),
            self._forged,
            self._unlisted,
        ]
        return [await step() for step in steps]

    async def _allowed(self, token: str) -> Proof:
        reply = await self._pay(_SMALL, token)
        proof = await self._judge(
            f"pay {_SMALL}, within the limit", "policy allows; the token is stripped", reply, Reason.ALLOWED
        )
        arrived = self._arrived()
        if json.dumps({"amount": _SMALL}) not in (body for body, _ in arrived):
            return _but(proof, "the tool did not receive the call as it was sent")
        if any(secret in headers for _, headers in arrived for secret in ("x-aegis-token", "proxy-authorization")):
            return _but(proof, "the tool received the agent's token")
        return proof

    async def _denied(self) -> Proof:
        reply = await self._pay(_LARGE, self._powers.mint())
        proof = await self._judge(f"pay {_LARGE}, above the limit", "policy denies", reply, Reason.POLICY_DENIED)
        return self._unless_arrived(proof)

    async def _sanitized(self) -> Proof:
        reply = await self._call("/note", _NOTE, self._powers.mint())
        proof = await self._judge("note with a secret", "both bodies are redacted", reply, Reason.SANITIZED)
        bodies = [body for body, _ in self._arrived()]
        if not bodies or _NOTE["kind"] not in bodies[-1]:
            return _but(proof, "the tool did not receive the rest of the call")
        if any(WITHDRAWN in body for body in bodies):
            return _but(proof, "the tool received the secret")
        if WITHDRAWN in reply.body:
            return _but(proof, "the agent received the tool's secret")
        if "done" not in reply.body:
            return _but(proof, "the agent did not receive the rest of the answer")
        return proof

    async def _approval_needed(self) -> Proof:
        reply = await self._pay(_MEDIUM, self._powers.mint())
        control = "a human is asked; the approval is kept, and refused here"
        proof = self._unless_arrived(
            await self._judge(f"pay {_MEDIUM}, for approval", control, reply, Reason.APPROVAL_NEEDED)
        )
        if not reply.approval_id:
            return _but(proof, "the answer names no approval")
        state = await asyncio.to_thread(self._powers.refuse, reply.approval_id)
        return proof if state == "denied" else _but(proof, f"the approval could not be refused: {state}")

    async def _replayed(self, token: str) -> Proof:
        reply = await self._pay(_SMALL, token)
        proof = await self._judge("the first token again", "a token is good once", reply, Reason.REPLAYED)
        return self._unless_arrived(proof)

    async def _forged(self) -> Proof:
        reply = await self._pay(_SMALL, self._powers.forge())
        proof = await self._judge("a token of a foreign key", "tokens are verified", reply, Reason.CREDENTIAL_UNTRUSTED)
        return self._unless_arrived(proof)

    async def _unlisted(self) -> Proof:
        reply = await self._call("/", {}, self._powers.mint(), "http://unlisted.aegis.invalid")
        return await self._judge("a host nobody listed", "egress is closed", reply, Reason.EGRESS_DENIED)

    async def _pay(self, amount: int, token: str) -> _Reply:
        return await self._call("/pay", {"amount": amount}, token)

    async def _call(self, path: str, body: Mapping[str, Json], token: str, base: str = _TOOL) -> _Reply:
        self._tool.received.clear()
        headers = {"x-aegis-token": token, "content-type": "application/json"}
        started = time.perf_counter()
        try:
            response = await self._client.post(base + path, content=json.dumps(body), headers=headers)
        except httpx.HTTPError as fault:
            return _Reply(
                0, "", "", "", "", (time.perf_counter() - started) * 1000, f"no answer: {type(fault).__name__}"
            )
        return _Reply(
            status=response.status_code,
            decision=response.headers.get("x-aegis-decision", ""),
            decision_id=response.headers.get("x-aegis-decision-id", ""),
            approval_id=response.headers.get("x-aegis-approval-id", ""),
            body=response.text,
            ms=(time.perf_counter() - started) * 1000,
            fault="",
        )

    async def _judge(self, call: str, control: str, reply: _Reply, right: Reason) -> Proof:
        spec = REASONS[right]
        reason = await asyncio.to_thread(self._powers.reason_of, reply.decision_id) if reply.decision_id else ""
        expected = f"{spec.effect.value} {right.value}"
        proof = Proof(
            call=call,
            control=control,
            expected=expected,
            answer=reply.decision or f"status {reply.status}",
            reason=reason,
            decision_id=reply.decision_id,
            ms=reply.ms,
            trouble="",
        )
        if reply.fault:
            return _but(proof, reply.fault)
        if not reply.decision_id:
            return _but(proof, f"the call was not judged; the proxy answers: {reply.status} {reply.body[:_EXCERPT]}")
        if not reason:
            return _but(proof, "the decision is not in the records")
        if (reply.decision, reason) != (spec.effect.value, right.value):
            return _but(proof, f"expected {expected}")
        status = STATUS_CODES[right].http
        if reply.status != status:
            return _but(proof, f"status {reply.status} instead of {status}")
        return proof

    def _arrived(self) -> list[tuple[str, Mapping[str, str]]]:
        return [(call.body, call.headers) for call in self._tool.received]

    def _unless_arrived(self, proof: Proof) -> Proof:
        return _but(proof, "the call reached the tool") if self._tool.received else proof


async def prove(proxy: str, port: int, powers: DoctorPowers) -> list[Proof]:
    """Make the doctor's calls through the forward proxy at `proxy`, its tool on loopback `port`.

    Raises DoctorPortTaken, and whatever `powers` raise.
    """
    async with (
        doctor_tool_at(port) as tool,
        httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=_TIMEOUT) as client,
    ):
        return await Prober(client, tool, powers).prove()


def _but(proof: Proof, trouble: str) -> Proof:
    """The proof with a trouble; the first one stays."""
    return proof if proof.trouble else replace(proof, trouble=trouble)
