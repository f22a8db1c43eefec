"""What calls of the SDK for Node end with, through the real mesh."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.agent.enrolment import Enrolment, write_enrolment
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.local.mesh_facts import read_facts
from sdk.node.tests.conftest import OpenPlayer, Player
from tests.support.agent_mesh import AGENT, new_key, small_mesh
from tests.support.authority import Authority

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PAYMENTS = "http://api.stripe.example/v1/payments"
FINANCE = "acme/emea/finance-agent"
AMOUNTS = count(7500)
"""Of calls that are held: an approval is for one."""
INTENTS = "https://api.stripe.com/v1/payment_intents"
FORM = {
    "method": "POST",
    "headers": {"content-type": "application/x-www-form-urlencoded"},
    "body": "amount=4200&currency=eur",
}
NOWHERE = "http://127.0.0.1:1"
PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def of_mesh(mesh: DemoMesh, agent: str) -> dict[str, str]:
    """What an agent's process is given."""
    return {"AEGIS_DIR": str(mesh.state.resolve()), "AEGIS_AGENT": f"acme/emea/{agent}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def player(mesh: DemoMesh, open_player: OpenPlayer) -> AsyncIterator[Player]:
    async with open_player(of_mesh(mesh, "finance-agent")) as player:
        yield player


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def witness(mesh: DemoMesh) -> AsyncIterator[Agent]:
    """Reads records."""
    agent = agent_of(mesh)
    yield agent
    await agent.close()


async def held_call(player: Player, amount: int) -> dict[str, Any]:
    held = await player.post(PAYMENTS, {"amount": amount, "payee": "ACME"})
    assert (held["error"], held["reason"]) == ("ApprovalNeeded", "APPROVAL_NEEDED")
    return held


async def test_what_policy_allows_reaches_the_tool_and_its_answer_the_program(player: Player, mesh: DemoMesh) -> None:
    answer = await player.post(PAYMENTS, {"amount": 4201, "payee": "ACME"})
    assert (answer["status"], answer["url"]) == (201, PAYMENTS)
    assert "4201" in str(mesh.tools.received["/v1/payments"]["body"])
    assert not any(name.startswith("x-aegis-") for name in mesh.tools.received["/v1/payments"].get("headers", ()))


async def test_a_denial_is_an_error_with_a_sentence_for_the_model(player: Player, witness: Agent) -> None:
    denied = await player.post(PAYMENTS, {"amount": 50000, "payee": "ACME"})
    assert (denied["error"], denied["reason"], denied["retryable"]) == ("AegisDenied", "POLICY_DENIED", False)
    assert denied["message"].startswith("create_payment on stripe-payments was refused: ")
    record = witness.record(denied["decisionId"])
    assert record is not None
    assert (record["effect"], record["way"], record["agent"]) == ("deny", "bound", "finance-agent")


async def test_what_is_redacted_is_redacted_both_ways(mesh: DemoMesh, open_player: OpenPlayer) -> None:
    note = {"note": "SSN 078-05-1120, date of birth 1961-07-04"}
    async with open_player(of_mesh(mesh, "clinic-agent")) as player:
        answer = await player.play(
            "fetch",
            url="http://ehr.example/records/p-17",
            init={"method": "PUT", "headers": {"content-type": "application/json"}, "body": json.dumps(note)},
        )
    received = str(mesh.tools.received["/records/p-17"]["body"])
    assert answer["status"] == 200
    for text in (answer["text"], received):
        assert "REDACTED" in text
        assert "078-05-1120" not in text
    assert "penicillin" not in answer["text"]


async def test_a_held_call_gives_its_result_once_a_person_approved_it(player: Player, mesh: DemoMesh) -> None:
    amount = next(AMOUNTS)
    held = await held_call(player, amount)
    waiting = await player.play("wait", approval=held["approvalId"], seconds=0)
    assert waiting["error"] == "TimeoutError"
    assert "Nobody has decided yet" in waiting["message"]
    async with asyncio.TaskGroup() as group:
        result = group.create_task(player.play("wait", approval=held["approvalId"], seconds=60))
        group.create_task(mesh.approve(held["approvalId"]))
    assert result.result()["status"] == 201
    assert str(amount) in str(mesh.tools.received["/v1/payments"]["body"])
    assert (await held_call(player, amount))["approvalId"] != held["approvalId"]  # it was good once


async def test_a_held_call_that_a_person_denied_is_a_denial(player: Player, mesh: DemoMesh) -> None:
    held = await held_call(player, next(AMOUNTS))
    await mesh.aegis("approvals", "deny", held["approvalId"], "--dir", str(mesh.state), "--note", "no")
    denied = await player.play("wait", approval=held["approvalId"])
    assert (denied["error"], denied["reason"], denied["retryable"]) == ("AegisDenied", "APPROVAL_DENIED", False)


async def test_calls_side_by_side_have_a_proof_each(player: Player) -> None:
    calls = (player.post(PAYMENTS, {"amount": amount, "payee": "ACME"}) for amount in range(1, 13))
    assert {answer.get("status") for answer in await asyncio.gather(*calls)} == {201}


async def test_a_tool_of_the_reverse_routes_is_called_without_the_proxy(player: Player) -> None:
    url = (await player.play("toolUrl", tool="stripe-payments"))["text"]
    answer = await player.post(f"{url}/v1/payments", {"amount": 4200, "payee": "ACME"})
    assert (answer["status"], answer["url"]) == (201, f"{url}/v1/payments")
    assert (await player.post(f"{url}/v1/payments", {"amount": 50000, "payee": "ACME"}))["error"] == "AegisDenied"


async def test_https_is_opened_by_the_mesh_and_judged(player: Player, mesh: DemoMesh, open_player: OpenPlayer) -> None:
    denied = await player.post("https://paste.evil.example/", {"a": 1})
    assert (denied["error"], denied["reason"]) == ("AegisDenied", "EGRESS_DENIED")
    # the environment can turn verification off for Node, and so neither proves nor spoils anything here
    async with open_player({**of_mesh(mesh, "books-agent"), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}) as books:
        answers = [await books.play("fetch", url=INTENTS, init=FORM) for _ in range(2)]
    assert [answer["status"] for answer in answers] == [200, 200]
    assert mesh.tools.received["/v1/payment_intents"]["body"] == FORM["body"]


async def test_who_is_not_the_mesh_is_shown_nothing(mesh: DemoMesh, open_player: OpenPlayer, tmp_path: Path) -> None:
    facts, agent = read_facts(mesh.state), "acme/emea/books-agent"
    secret = (mesh.state / "agents" / agent / "key.pem").read_bytes()
    folder = enrolled(tmp_path, agent, f"{facts.control}/v1/token", facts.proxy, secret, str(Authority(tmp_path).file))
    mesh.tools.received.pop("/v1/payment_intents", None)
    environment = {"AEGIS_AGENT_FOLDER": str(folder), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    async with open_player(environment) as player:
        answer = await player.play("fetch", url=INTENTS, init=FORM)
    assert answer["error"] == "AegisUnavailable"
    assert "certificate" in answer["message"]
    assert "/v1/payment_intents" not in mesh.tools.received


@pytest.mark.parametrize(
    ("part", "place", "sentence"),
    [
        ("token_endpoint", f"{NOWHERE}/v1/token", "the control plane does not answer"),
        ("proxy", NOWHERE, "the mesh does not answer"),
        ("key", "", "issued no token to acme/emea/finance-agent: invalid_client"),
    ],
)
async def test_without_a_token_or_a_mesh_nothing_reaches_the_tool(
    part: str, place: str, sentence: str, mesh: DemoMesh, open_player: OpenPlayer, tmp_path: Path
) -> None:
    facts = read_facts(mesh.state)
    places = {"token_endpoint": f"{facts.control}/v1/token", "proxy": facts.proxy, part: place}
    key = mesh.state / "agents" / FINANCE / "key.pem"
    secret = pem(new_key()) if part == "key" else key.read_bytes()
    folder = enrolled(tmp_path, FINANCE, places["token_endpoint"], places["proxy"], secret)
    mesh.tools.received.pop("/v1/payments", None)
    async with open_player({"AEGIS_AGENT_FOLDER": str(folder)}) as player:
        answer = await player.post(PAYMENTS, {"amount": 1, "payee": "ACME"})
        assert answer["error"] == "AegisUnavailable"
        assert sentence in answer["message"]
        await player.play("close")
        assert "this Aegis is closed" in (await player.post(PAYMENTS, {"amount": 1, "payee": "ACME"}))["message"]
    assert "/v1/payments" not in mesh.tools.received


async def test_hops_and_tries_have_proofs_of_their_own_and_the_environment_leads_none_astray(
    open_player: OpenPlayer, tmp_path: Path
) -> None:
    """The mesh here is a small one that judges proofs by the letter and refuses an id that it saw before."""
    key = new_key()
    environment = {**dict.fromkeys(PROXY_VARIABLES, NOWHERE), "NODE_USE_ENV_PROXY": "1", "NO_PROXY": "*"}
    async with small_mesh() as mesh:
        mesh.enrol(key)
        folder = enrolled(tmp_path, str(AGENT), f"{mesh.url}/v1/token", mesh.url, pem(key))
        async with open_player({**environment, "AEGIS_AGENT_FOLDER": str(folder)}) as player:
            answer = await player.post("http://tool.example/elsewhere?a=%2F", {"n": 1})
            for _ in range(2):
                assert (await player.post("http://tool.example/pay", {"n": 1}))["text"] == '{"n": 1}'
    assert (answer["url"], answer["text"]) == ("http://tool.example/next", '{"n": 1}')
    assert (mesh.refusals, mesh.tokens_issued) == ([], 1)
    targets = [passed["target"] for passed in mesh.passed]
    assert targets[:2] == ["http://tool.example/elsewhere?a=%2F", "http://tool.example/next"]
    assert len({passed["headers"]["x-aegis-proof"] for passed in mesh.passed}) == len(targets) == 4


def enrolled(folder: Path, agent: str, token_endpoint: str, proxy: str, secret: bytes, authorities: str = "") -> Path:
    """A folder of an agent, as enrolment writes it."""
    write_enrolment(folder, Enrolment(agent, token_endpoint, "aegis", "mesh", proxy, "", authorities, ""))
    key = folder / "key.pem"
    key.touch(0o600)
    key.write_bytes(secret)
    return folder


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
