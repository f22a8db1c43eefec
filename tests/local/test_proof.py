"""The doctor's judgement, against meshes that do one thing wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from aegis_authz.local.doctor_tool import WITHDRAWN, DoctorPortTaken, DoctorTool, ReceivedCall, doctor_tool_at
from aegis_authz.local.proof import DoctorPowers, Prober, Proof

MASK = "[REDACTED:us_ssn]"


@dataclass
class PretendMesh:
    """A mesh that is right in everything, but for what its fields say."""

    tool: DoctorTool = field(default_factory=DoctorTool)
    reasons: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    allows_everything: bool = False
    strips_token: bool = True
    redacts_request: bool = True
    redacts_response: bool = True
    forwards_refused: bool = False
    records: bool = True
    status_of_denial: int = 403
    approval_state: str = "denied"
    opens_approval: bool = True

    def answer(self, request: httpx.Request) -> httpx.Response:
        token, sent = request.headers["x-aegis-token"], json.loads(request.content)
        decision, reason, status = self._judge(request.url.host, request.url.path, sent, token)
        self.tokens.add(token)
        number = f"d{len(self.reasons)}"
        self.reasons[number] = reason if self.records else ""
        headers = {"x-aegis-decision": decision, "x-aegis-decision-id": number}
        if decision == "approval_needed" and self.opens_approval:
            headers["x-aegis-approval-id"] = "apr_1"
        through = decision in ("allow", "sanitize")
        if through or self.forwards_refused:
            self._forward(request)
        body = json.dumps({"status": "done", "secret": MASK if self.redacts_response else WITHDRAWN})
        return httpx.Response(status, headers=headers, text=body if through else "{}")

    def _judge(self, host: str, path: str, sent: dict[str, int], token: str) -> tuple[str, str, int]:
        if self.allows_everything:
            return "allow", "ALLOWED", 200
        no = self.status_of_denial
        if token == "forged":
            return "deny", "CREDENTIAL_UNTRUSTED", 401
        if token in self.tokens:
            return "deny", "REPLAYED", no
        if host != "doctor.aegis.internal":
            return "deny", "EGRESS_DENIED", no
        if path == "/note":
            return "sanitize", "SANITIZED", 200
        if sent["amount"] > 100:
            return "deny", "POLICY_DENIED", no
        return ("approval_needed", "APPROVAL_NEEDED", 403) if sent["amount"] > 50 else ("allow", "ALLOWED", 200)

    def _forward(self, request: httpx.Request) -> None:
        headers = dict(request.headers)
        if self.strips_token:
            headers.pop("x-aegis-token")
        body = request.content.decode()
        self.tool.received.append(
            ReceivedCall(request.url.path, body.replace(WITHDRAWN, MASK) if self.redacts_request else body, headers)
        )

    async def proofs(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> list[Proof]:
        minted = iter(range(100))
        means = DoctorPowers(
            mint=lambda: f"token-{next(minted)}",
            forge=lambda: "forged",
            reason_of=lambda decision_id: self.reasons[decision_id],
            refuse=lambda _: self.approval_state,
        )
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer or self.answer)) as client:
            return await Prober(client, self.tool, means).prove()


def troubles(proofs: list[Proof]) -> dict[str, str]:
    return {proof.expected.split()[1]: proof.trouble for proof in proofs if proof.trouble}


async def test_a_mesh_that_is_right_passes_and_every_control_is_named() -> None:
    proofs = await PretendMesh().proofs()
    assert troubles(proofs) == {}
    assert [proof.expected for proof in proofs] == [
        "allow ALLOWED",
        "deny POLICY_DENIED",
        "sanitize SANITIZED",
        "approval_needed APPROVAL_NEEDED",
        "deny REPLAYED",
        "deny CREDENTIAL_UNTRUSTED",
        "deny EGRESS_DENIED",
    ]
    assert all(proof.control and proof.decision_id and proof.ms > 0 for proof in proofs)


@pytest.mark.parametrize(
    ("mesh", "call", "words"),
    [
        (PretendMesh(strips_token=False), "ALLOWED", "the tool received the agent's token"),
        (PretendMesh(redacts_request=False), "SANITIZED", "the tool received the secret"),
        (PretendMesh(redacts_response=False), "SANITIZED", "the agent received the tool's secret"),
        (PretendMesh(opens_approval=False), "APPROVAL_NEEDED", "the answer names no approval"),
        (PretendMesh(approval_state="pending"), "APPROVAL_NEEDED", "the approval could not be refused: pending"),
    ],
)
async def test_one_thing_wrong_is_found_where_it_is(mesh: PretendMesh, call: str, words: str) -> None:
    assert troubles(await mesh.proofs()) == {call: words}


async def test_a_mesh_that_allows_everything_passes_for_the_allowed_call_alone() -> None:
    found = troubles(await PretendMesh(allows_everything=True).proofs())
    assert found["REPLAYED"] == "expected deny REPLAYED"
    assert "ALLOWED" not in found
    assert len(found) == 6


async def test_a_refused_call_that_reaches_the_tool_is_a_trouble() -> None:
    found = troubles(await PretendMesh(forwards_refused=True).proofs())
    assert {call for call, words in found.items() if words == "the call reached the tool"} == {
        "POLICY_DENIED",
        "APPROVAL_NEEDED",
        "REPLAYED",
        "CREDENTIAL_UNTRUSTED",
    }


async def test_decisions_that_are_not_recorded_are_a_trouble() -> None:
    found = troubles(await PretendMesh(records=False).proofs())
    assert set(found.values()) == {"the decision is not in the records"}
    assert len(found) == 7


async def test_a_wrong_status_is_a_trouble() -> None:
    found = troubles(await PretendMesh(status_of_denial=500).proofs())
    assert found["POLICY_DENIED"] == "status 500 instead of 403"


async def test_a_proxy_that_is_gone_is_a_trouble_and_no_exception() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    found = troubles(await PretendMesh().proofs(nobody))
    assert set(found.values()) == {"no answer: ConnectError"}
    assert len(found) == 7


async def test_an_answer_of_the_proxy_itself_is_told_as_such() -> None:
    found = troubles(await PretendMesh().proofs(lambda _: httpx.Response(404, text="no route")))
    assert set(found.values()) == {"the call was not judged; the proxy answers: 404 no route"}


async def test_the_tool_answers_with_a_secret_and_remembers_what_it_got() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    async with doctor_tool_at(port) as tool, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/note", json={"note": "x"}, headers={"X-Seen": "1"})
        assert WITHDRAWN in answer.text
        (received,) = tool.received
    assert (received.path, json.loads(received.body), received.headers["x-seen"]) == ("/note", {"note": "x"}, "1")


async def test_a_tool_whose_port_is_taken_says_which() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DoctorPortTaken, match=f"port {port} is reserved for the doctor"):
            async with doctor_tool_at(port):
                pass
