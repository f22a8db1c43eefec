"""An agent of a real mesh behind its local signer: a key of its own, bound tokens, a proof for each call."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path

import certifi
import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "grants.md"
PAY = "curl -s -d '{\"amount\": %s}' -H 'x-request-id: %s' -o /dev/null -w '%%header{x-aegis-decision-id}\\n' %s/v1/payments"


def page_commands(state: Path, token: Path) -> list[list[str]]:
    """The commands that docs/grants.md begins with, for this mesh; without `aegis` itself."""
    block = PAGE.read_text("utf-8").split("```\n")[1].replace("\\\n", " ")
    places = {"DIR": str(state.resolve()), "task.token": str(token)}
    return [[places.get(word, word) for word in shlex.split(line)[1:]] for line in block.splitlines()]


async def run(state: Path, script: str, *options: str) -> list[str]:
    """`aegis agent run` of a shell; the lines it printed."""
    words = (
        "agent",
        "run",
        "--dir",
        str(state.resolve()),
        "--agent",
        "acme/emea/finance-agent",
        *options,
        "--",
        "sh",
        "-c",
        script,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aegis_authz.cli", *words, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().splitlines()


async def test_a_program_that_knows_nothing_calls_with_a_proof_each_time(mesh: DemoMesh, agent: Agent) -> None:
    forward, reverse = "http://api.stripe.example", "--noproxy '*' $AEGIS_BASE_URL/stripe-payments"
    calls = [PAY % (amount, "r", place) for place in (forward, reverse) for amount in (100, 50000, 100)]
    records = [agent.record(line) for line in await run(mesh.state, "; ".join(calls))]
    assert [record["effect"] for record in records if record] == ["allow", "deny", "allow"] * 2
    assert {json.dumps([record["way"], record["agent"]]) for record in records if record} == {
        json.dumps(["bound", "finance-agent"])
    }


async def test_an_invited_agent_brings_its_own_key(
    mesh: DemoMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    invited = json.loads(
        await mesh.aegis("agents", "invite", "acme/emea/finance-agent", "--dir", str(mesh.state), "--json")
    )
    places = ("--mesh", mesh.proxy, "--reverse", mesh.reverse)
    words = ("agent", "enroll", invited["code"], "--control", invited["control"], *places, "--json")
    assert json.loads(await mesh.aegis(*words))["agent"] == "acme/emea/finance-agent"
    address = "http://api.stripe.example/v1/payments"
    printed = await mesh.aegis("agent", "run", "--", "curl", "-s", "-d", '{"amount": 50000}', address)
    assert json.loads(printed)["reason"] == "POLICY_DENIED"


@pytest.mark.slow
async def test_an_agent_elsewhere_has_the_meshs_authorities_and_follows_their_rotation(
    mesh: DemoMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # no mesh is here
    state = str(mesh.state.resolve())
    invited = json.loads(await mesh.aegis("agents", "invite", "acme/emea/finance-agent", "--dir", state, "--json"))
    shown = json.loads(await mesh.aegis("ca", "show", "--dir", state, "--json"))
    assert invited["authority"] == shown["signing"]["fingerprint"]
    enroll = ("agent", "enroll", invited["code"], "--control", invited["control"])
    with pytest.raises(CommandFailed, match="is none of those that the mesh has now"):
        await mesh.aegis(*enroll, "--authority", "0" * 64)
    places = ("--mesh", mesh.proxy, "--reverse", mesh.reverse)
    enrolled = json.loads(await mesh.aegis(*enroll, "--authority", invited["authority"], *places, "--json"))
    bundle = Path(enrolled["authorities"])
    assert f"export SSL_CERT_FILE={bundle}" in await mesh.aegis("ca", "env")
    for step in ((), ("--sign",), ("--finish",)):
        await mesh.aegis("ca", "rotate", "--dir", state, *step)
        call = ("curl", "-sS", "-d", '{"amount": 50000}', "https://api.stripe.example/v1/payments")
        assert json.loads(await mesh.aegis("agent", "run", "--", *call))["reason"] == "POLICY_DENIED"
        own = bundle.with_name("authorities.pem").read_text("ascii")
        assert own == await mesh.aegis("ca", "export", "--dir", state)


async def test_a_program_that_does_not_trust_the_mesh_is_told_of_with_what_to_do(mesh: DemoMesh) -> None:
    words = ("agent", "run", "--dir", str(mesh.state.resolve()), "--agent", "acme/emea/finance-agent", "--")
    public = certifi.where()
    with pytest.raises(CommandFailed) as failed:
        await mesh.aegis(*words, "curl", "-sS", "--cacert", public, "https://api.stripe.example/v1/payments")
    assert "a program ended its handshake with api.stripe.example:443" in str(failed.value)
    assert 'eval "$(aegis ca env)"' in str(failed.value)


async def test_a_narrowed_token_is_held_to_its_task_and_its_calls_are_counted(
    mesh: DemoMesh, agent: Agent, tmp_path: Path
) -> None:
    token = tmp_path / "task.token"
    narrow, _ = page_commands(mesh.state, token)
    await mesh.aegis(*narrow)
    assert token.stat().st_mode & 0o777 == 0o600
    calls = "; ".join(PAY % (amount, "r", "http://api.stripe.example") for amount in (100, 200, 100, 100))
    decisions = await run(mesh.state, calls, "--token", str(token))
    records = [record for decision in decisions if (record := agent.record(decision))]
    assert [record["reason"] for record in records] == ["ALLOWED", "GRANT_EXCEEDED", "ALLOWED", "GRANT_USED_UP"]
    grants = [record["grant"] for record in records]
    assert [grant["chain"][0]["calls"] for grant in grants] == [2] * 4
    assert grants[0]["chain"][0]["tools"] == {"stripe-payments": {"create_payment": {"amount": [100]}}}

    explained = json.loads(
        await mesh.aegis("policy", "explain", "--record", decisions[1], "--dir", str(mesh.state), "--json")
    )
    assert explained["record"]["difference"] == ""
    assert explained["grant"][0]["values"][0] == {
        "parameter": "amount",
        "allowed": [100],
        "seen": 200,
        "there": True,
        "holds": False,
    }

    whose = ("--dir", str(mesh.state.resolve()), "--agent", "acme/emea/finance-agent")
    narrower = ("token", "narrow", *whose, "--token", str(token), "--tool", "github", "--json")
    with pytest.raises(CommandFailed, match="wider than what there is to narrow: tool github"):
        await mesh.aegis(*narrower)


async def test_a_whole_command_runs_under_a_task(mesh: DemoMesh, agent: Agent, tmp_path: Path) -> None:
    task = tmp_path / "task.yaml"
    task.write_text(PAGE.read_text("utf-8").split("```yaml\n")[1].split("```")[0], "utf-8")
    calls = "; ".join(PAY % (amount, "r", "http://api.stripe.example") for amount in (250, 101))
    records = [agent.record(line) for line in await run(mesh.state, calls, "--grant", str(task))]
    assert [record["reason"] for record in records if record] == ["ALLOWED", "GRANT_EXCEEDED"]
