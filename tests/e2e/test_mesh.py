"""What a user does with a mesh, through the command line and plain HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from aegis_authz.local.documents import example_documents
from aegis_authz.local.mesh_facts import is_running

PATIENCE = 90
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_curl_sends_through_the_proxy_with_a_minted_token_gets_an_answer(mesh: DemoMesh) -> None:
    token = await mesh.aegis(
        "token", "mint", "--dir", str(mesh.state), "--org", "acme", "--tenant", "emea", "--agent", "finance-agent"
    )
    headers = {"x-aegis-token": token.strip(), "content-type": "application/x-www-form-urlencoded"}  # as curl -d does
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        answer = await client.post(PAYMENTS, content=b'{"amount":1200}', headers=headers)
    assert answer.json()["status"] == "paid"


async def test_a_reverse_route_reaches_its_tool_and_no_other(mesh: DemoMesh, agent: Agent) -> None:
    base = mesh.reverse
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"x-aegis-token": agent.tokens.mint("finance-agent")}
        paid = await client.post(f"{base}/stripe-payments/v1/payments", json={"amount": 5}, headers=headers)
        headers = {"x-aegis-token": agent.tokens.mint("finance-agent")}
        wrong = await client.get(f"{base}/ehr/records/p-17", headers=headers)
        headers = {"x-aegis-token": agent.tokens.mint("finance-agent")}
        unknown = await client.get(f"{base}/nothing/here", headers=headers)
    assert (paid.status_code, paid.json()["status"]) == (201, "paid")
    assert (wrong.status_code, wrong.json()["reason"]) == (403, "POLICY_DENIED")
    assert unknown.status_code == 403
    assert unknown.headers["x-aegis-decision"] == "deny"


async def test_the_tool_never_sees_a_token(mesh: DemoMesh, agent: Agent) -> None:
    await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})
    headers = mesh.tools.received["/v1/payments"]["headers"]
    assert isinstance(headers, dict)
    assert not [name for name in headers if name.startswith("x-aegis") or name == "proxy-authorization"]


async def test_a_client_cannot_choose_its_own_obligation(mesh: DemoMesh, agent: Agent) -> None:
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        for forged in ("request", "nothing", ""):
            headers = {"x-aegis-token": agent.tokens.mint("clinic-agent"), "x-aegis-obligation": forged}
            answer = await client.put(
                "http://ehr.example/records/p-17", json={"note": "SSN 078-05-1120"}, headers=headers
            )
            assert answer.headers["x-aegis-decision"] == "sanitize"
            assert "078-05-1120" not in answer.text
            assert "078-05-1120" not in str(mesh.tools.received["/records/p-17"]["body"])


async def test_an_invalid_policy_is_refused_by_file_and_line_and_the_old_one_stays(
    mesh: DemoMesh, agent: Agent
) -> None:
    path = mesh.policies / "observer-agent.yaml"
    good = path.read_text("utf-8")
    path.write_text(good + "\nalowed_tools: []\n", "utf-8")
    try:
        with pytest.raises(CommandFailed, match=r"observer-agent\.yaml:\d+:\d+: .*"):
            await mesh.aegis("policy", "publish", "--dir", str(mesh.state))
    finally:
        path.write_text(good, "utf-8")
    assert (await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})).decision == "allow"


async def test_a_new_tool_is_reached_after_publishing_without_a_restart(mesh: DemoMesh, agent: Agent) -> None:
    stripe = (mesh.catalogue / "stripe-payments.yaml").read_text("utf-8")
    added = stripe.replace("stripe-payments", "credit-payments").replace("api.stripe.example", "api.credit.example")
    (mesh.catalogue / "credit-payments.yaml").write_text(added, "utf-8")
    policy = mesh.policies / "finance-agent.yaml"
    policy.write_text(
        policy.read_text("utf-8").replace(
            "allowed_tools:\n", "allowed_tools:\n  - name: credit-payments\n    actions: [create_payment]\n", 1
        ),
        "utf-8",
    )
    url = "http://api.credit.example/v1/payments"
    before = await agent.call("finance-agent", "POST", url, {"amount": 1})
    await mesh.publish()
    deadline = time.monotonic() + 10
    while (after := await agent.call("finance-agent", "POST", url, {"amount": 1})).status != 201:
        assert time.monotonic() < deadline, after
        await asyncio.sleep(0.05)
    assert before.reason == "EGRESS_DENIED"
    assert after.decision == "allow"


async def test_decisions_are_counted(mesh: DemoMesh, agent: Agent) -> None:
    await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})
    facts = json.loads((mesh.state / "mesh.json").read_text("utf-8"))
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(facts["metrics"])).text
    assert 'aegis_decisions_total{effect="allow",reason="ALLOWED"}' in text


async def test_doctor_proves_the_mesh(mesh: DemoMesh) -> None:
    proof = await mesh.aegis("doctor", "--dir", str(mesh.state))
    for reason in ("POLICY_DENIED", "REPLAYED", "EGRESS_DENIED", "APPROVAL_NEEDED"):
        assert reason in proof


async def test_doctor_proves_a_gateway_from_where_an_agent_is(mesh: DemoMesh) -> None:
    proof = await mesh.aegis("doctor", "--gateway", mesh.proxy)
    for words in ("CREDENTIAL_MISSING", "CREDENTIAL_UNTRUSTED", "status 401", "Every control does its work."):
        assert words in proof


async def test_status_names_every_process(mesh: DemoMesh) -> None:
    shown = await mesh.aegis("status", "--dir", str(mesh.state))
    for name in ("redis", "control", "opa", "authz-0", "authz-1", "certificates", "envoy"):
        assert name in shown


async def test_a_second_mesh_in_the_same_folder_is_refused(mesh: DemoMesh) -> None:
    with pytest.raises(CommandFailed, match="already runs"):
        await mesh.up()


@pytest.mark.slow
async def test_another_mesh_beside_it_comes_up_and_leaves_nothing_when_its_supervisor_is_killed(
    mesh: DemoMesh, tmp_path: Path
) -> None:
    examples = example_documents()
    arguments = ("--policies", str(examples / "agents"), "--tools", str(examples / "tools"), "--json")
    state = tmp_path / "other"
    facts = json.loads(await mesh.aegis("up", "--detach", "--dir", str(state), *arguments))
    os.kill(facts["supervisor"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(state) or any(_lives(pid) for pid in facts["pids"].values()):
        assert time.monotonic() < deadline, facts["pids"]
        await asyncio.sleep(0.05)
    again = json.loads(await mesh.aegis("up", "--detach", "--dir", str(state), *arguments))
    assert not Path(facts["run"]).exists()
    await mesh.aegis("down", "--dir", str(state))
    assert not is_running(state)
    assert not Path(again["run"]).exists()
    assert not any(_lives(pid) for pid in again["pids"].values())


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_revoked_agent_is_refused_at_its_next_call_and_goes_on_when_restored(
    mesh: DemoMesh, agent: Agent
) -> None:
    where = ("--dir", str(mesh.state))
    token = agent.tokens.mint("finance-agent")  # good before, and good after: it is the agent that is refused
    assert (await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})).decision == "allow"
    await mesh.aegis("agents", "revoke", "acme/emea/finance-agent", "--note", "a test", *where)
    try:
        headers = {"x-aegis-token": token}
        async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
            refused = await client.post(PAYMENTS, json={"amount": 1}, headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (403, "REVOKED")
        [revoked] = json.loads(await mesh.aegis("agents", "list", "--json", *where))["revocations"]
        assert revoked["agent"] == "finance-agent"
    finally:
        await mesh.aegis("agents", "restore", "acme/emea/finance-agent", *where)
    async with asyncio.timeout(PATIENCE):  # the bundle that says so is published within seconds
        while (restored := await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})).reason == "REVOKED":
            await asyncio.sleep(0.1)
    assert restored.decision == "allow"
    changes = json.loads(await mesh.aegis("policy", "status", "--json", *where))["changes"]
    kinds = [
        change["kind"] for change in changes if change["kind"] != "rebuilt"
    ]  # what is revoked is in the bundle, too
    assert kinds[:2] == ["restored", "revoked"]
