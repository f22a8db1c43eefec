"""Held calls on a running mesh: what an approval is bound to, who is on record for it, and what it does not let through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def pay(agent: Agent, amount: float, override: str = "", **more: object) -> Reply:
    return await agent.call(
        "finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": "x", **more}, override=override
    )


async def standing(reply: Reply) -> dict[str, Any]:
    """What the status door says, to whoever knows the id."""
    async with httpx.AsyncClient(trust_env=False) as anyone:
        answer: dict[str, Any] = (await anyone.get(reply.json["approval"]["status_url"])).json()
    return answer


@asynccontextmanager
async def published(mesh: DemoMesh, agent: str, old: str, new: str) -> AsyncIterator[None]:
    """A policy that is another while the block lasts."""
    mesh.edit_policy(agent, old, new)
    await mesh.publish()
    try:
        yield
    finally:
        mesh.edit_policy(agent, new, old)
        await mesh.publish()


async def kept(mesh: DemoMesh, name: str) -> list[dict[str, Any]]:
    """All records of a decision or an approval."""
    printed = await mesh.aegis("audit", "show", name, "--dir", str(mesh.state), "--json")
    return [entry["record"] for entry in json.loads(printed)]


async def test_a_publication_for_others_leaves_an_approval_standing_and_the_record_names_who_granted_it(
    mesh: DemoMesh, agent: Agent
) -> None:
    held = await pay(agent, 6101)
    await mesh.approve(held.approval_id)
    async with published(mesh, "deploy-agent", "in: [staging, production]", "in: [staging, production, canary]"):
        passed = await pay(agent, 6101)
        assert (passed.status, passed.reason) == (201, "APPROVED")
    record = agent.record(passed.decision_id)
    assert record is not None
    assert (record["approval_id"], record["approved_by"]) == (held.approval_id, "bootstrap-owner")
    steps = [(one["kind"], one.get("step"), one.get("by")) for one in await kept(mesh, held.approval_id)]
    assert sorted(steps, key=str) == [
        ("approval", "approved", "bootstrap-owner"),
        ("decision", None, None),
        ("decision", None, None),
    ]
    assert (await standing(held))["detail"].startswith("It was used: the call went through.")
    verified = await mesh.aegis("audit", "verify", "--dir", str(mesh.state))
    assert "control: intact" in verified


async def test_a_publication_that_changes_what_judged_makes_an_approval_stale_and_says_so(
    mesh: DemoMesh, agent: Agent
) -> None:
    held = await pay(agent, 6102)
    override = await mesh.approve(held.approval_id)
    assert "Repeat the call unchanged" in (await standing(held))["detail"]
    async with published(mesh, "finance-agent", "max_amount: 10000 ", "max_amount: 9999 "):
        assert (await pay(agent, 6102, override)).reason == "APPROVAL_STALE"
        said = await standing(held)
        assert (said["state"], "was changed after it was asked for" in said["detail"]) == ("stale", True)
        shown = await mesh.aegis("approvals", "show", held.approval_id, "--dir", str(mesh.state))
        assert "state: stale: It is stale: a policy of this agent, or the tool, was changed" in shown
        again = await pay(agent, 6102)
        assert (again.reason, again.approval_id != held.approval_id) == ("APPROVAL_NEEDED", True)
        assert "is stale: a policy of this agent, or the tool, was changed since" in again.json["detail"]
    assert (await pay(agent, 6102, override)).reason == "APPROVAL_STALE"  # for good: another stands in its place


async def test_the_same_call_after_it_ran_is_told_its_status_and_time(mesh: DemoMesh, agent: Agent) -> None:
    held = await pay(agent, 6105)
    override = await mesh.approve(held.approval_id)
    passed = await pay(agent, 6105, override)
    assert passed.status == 201
    again = await pay(agent, 6105, override)
    async with asyncio.timeout(60):  # Envoy tells what became of calls in batches, some time later
        while again.json["approval_use"]["outcome"] is None:
            assert "outcome unknown" in again.json["detail"]
            again = await pay(agent, 6105, override)
    use = again.json["approval_use"]
    assert (again.reason, use["outcome"]["status"], use["outcome"]["was_reached"]) == ("APPROVAL_USED", 201, True)
    assert use["time"] <= use["outcome"]["time"] + 1
    assert "answered with status 201 at 20" in again.json["detail"]
    record = agent.record(again.decision_id)
    assert record is not None and "answered with status 201 at 20" in record["detail"]
    shown = await mesh.aegis("approvals", "show", held.approval_id, "--dir", str(mesh.state))
    assert "state: used: It was used: the call went through." in shown
    assert "answered with status 201 at 20" in shown


async def test_an_approval_helps_nothing_against_a_denial(mesh: DemoMesh, agent: Agent) -> None:
    held = await pay(agent, 6103)
    override = await mesh.approve(held.approval_id)
    async with published(mesh, "finance-agent", "max_amount: 10000 ", "max_amount: 6000 "):
        assert (await pay(agent, 6103)).reason == "POLICY_DENIED"
        assert (await pay(agent, 6103, override)).decision == "deny"
    passed = await pay(agent, 6103)  # nothing of it was used up, and the documents are those that judged
    assert (passed.status, passed.reason) == (201, "APPROVED")


async def test_a_call_repeated_a_moment_before_the_click_neither_passes_nor_uses_the_approval_up(
    mesh: DemoMesh, agent: Agent
) -> None:
    held = await pay(agent, 6104)
    for _ in range(2):
        early = await pay(agent, 6104)
        assert (early.decision, early.approval_id) == ("approval_needed", held.approval_id)
    await mesh.approve(held.approval_id)
    assert (await pay(agent, 6104)).reason == "APPROVED"
    assert (await pay(agent, 6104)).decision == "approval_needed"


async def test_nothing_runs_on_an_approval_that_its_approver_did_not_see(mesh: DemoMesh, agent: Agent) -> None:
    hidden = await pay(agent, 6105, memo="and 50,000 to me")
    assert (hidden.reason, hidden.approval_id) == ("PARAMETER_UNKNOWN", "")
    held = await pay(agent, 6105)
    shown = json.loads(await mesh.aegis("approvals", "show", held.approval_id, "--dir", str(mesh.state), "--json"))
    await mesh.approve(held.approval_id)
    assert (await pay(agent, 6105, memo="and 50,000 to me")).reason == "PARAMETER_UNKNOWN"
    assert (await pay(agent, 6105)).status == 201
    received = mesh.tools.received["/v1/payments"]
    assert json.loads(str(received["body"])) == shown["parameters"] == {"amount": 6105, "payee": "x"}


async def test_what_was_denied_or_taken_back_does_not_pass(mesh: DemoMesh, agent: Agent) -> None:
    for verb, words, amount in (("deny", "It was denied.", 6106), ("cancel", "The approval was taken back.", 6107)):
        held = await pay(agent, amount)
        if verb == "cancel":
            await mesh.approve(held.approval_id)
        await mesh.aegis("approvals", verb, held.approval_id, "--dir", str(mesh.state), "--note", "no")
        assert (await standing(held))["detail"].startswith(words)
        assert (await pay(agent, amount)).decision == "approval_needed"
        last = (await kept(mesh, held.approval_id))[-1]
        assert last["kind"] in ("approval", "decision")
        steps = {(one["by"], one["note"]) for one in await kept(mesh, held.approval_id) if one["kind"] == "approval"}
        assert ("bootstrap-owner", "no") in steps


async def test_calls_like_a_held_one_pass_in_its_session_alone_until_that_is_taken_back(
    mesh: DemoMesh, agent: Agent
) -> None:
    async def paid(amount: float, *session: str) -> Reply:
        who = ("--org", "acme", "--tenant", "emea", "--agent", "finance-agent")
        minted = await mesh.aegis("token", "mint", "--dir", str(mesh.state), *who, *session)
        return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": "x"}, minted.strip())

    task = ("--session", "task-4711")
    held = await paid(6120, *task)
    assert held.reason == "APPROVAL_NEEDED"
    where = ("--dir", str(mesh.state))
    saved = await mesh.aegis("approvals", "allow-like", held.approval_id, "--session", "--yes", *where)
    assert "stands since revision" in saved
    try:
        assert "in session task-4711" in await mesh.aegis("approvals", "standing", *where)
        passed = [await paid(amount, *task) for amount in (6120, 6119)]
        assert [reply.status for reply in passed] == [201, 201]
        for session in ((), ("--session", "task-4712")):
            assert (await paid(6118, *session)).reason == "APPROVAL_NEEDED"
        assert (await paid(6121, *task)).reason == "APPROVAL_NEEDED"
        assert (await paid(10001, *task)).reason == "POLICY_DENIED"
    finally:
        await mesh.aegis("approvals", "revoke", f"standing-allow-{held.approval_id}", *where)
    assert (await paid(6117, *task)).reason == "APPROVAL_NEEDED"


async def test_a_list_in_a_pipe_is_plain_columns_and_comes_in_pages(mesh: DemoMesh, agent: Agent) -> None:
    names = [(await pay(agent, 6110 + number)).approval_id for number in range(3)]
    listed = await mesh.aegis("approvals", "list", "--dir", str(mesh.state), "--limit", "2")
    header, *rows = listed.splitlines()
    assert header.split() == ["id", "state", "expires", "agent", "call", "parameters"]
    assert [row.split()[0] for row in rows if row.startswith("apr_")] == names[:0:-1]
    assert '{"amount": 6112, "payee": "x"}' in rows[0]
    assert listed.isascii()
    page = json.loads(await mesh.aegis("approvals", "list", "--dir", str(mesh.state), "--limit", "2", "--json"))
    rest = await mesh.aegis("approvals", "list", "--dir", str(mesh.state), "--after", page["after"])
    assert names[0] in rest
    assert names[2] not in rest
