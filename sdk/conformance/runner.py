"""Runs the mesh, the tool and the person of the cases, and holds what a player says against the list (README.md)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.agent.enrolment import Enrolment, write_enrolment
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools
from aegis_authz.local.mesh_facts import read_facts
from sdk.conformance.ledger import Ledger

FOLDER = Path(__file__).parent
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text("utf-8"))
BASE = "http://ledger.example"
AGENTS = 32
"""Of the mesh: each player is one by itself, for a budget is an agent's."""
SECONDS = 90
_NOWHERE = "http://127.0.0.1:1"
_OURS = re.compile(r"AEGIS_|(http|https|all|no)_proxy\Z", re.IGNORECASE)


class Stage:
    """The mesh, the tool behind it, and an agent for each player."""

    def __init__(self, mesh: DemoMesh, ledger: Ledger) -> None:
        self.mesh = mesh
        self.ledger = ledger
        self._agents = iter(range(1, AGENTS + 1))
        self._facts = read_facts(mesh.state)

    def agent(self) -> str:
        """The name of an agent that nobody plays yet."""
        return f"player-{next(self._agents)}"

    def environment(self, agent: str, fault: str | None) -> dict[str, str]:
        """What leads a process to the mesh as this agent; `fault` is what the case says is wrong with it."""
        name = f"acme/emea/{agent}"
        if fault is None:
            return {"AEGIS_DIR": str(self.mesh.state.resolve()), "AEGIS_AGENT": name}
        folder = self.mesh.folder / f"{agent}-{fault}"
        folder.mkdir(exist_ok=True)
        proxy = _NOWHERE if fault == "unreachable" else self._facts.proxy
        token_endpoint = f"{self._facts.control}/v1/token"
        write_enrolment(folder, Enrolment(name, token_endpoint, "aegis", "aegis-mesh", proxy, "", "", ""))
        key = folder / "key.pem"
        key.touch(0o600)
        key.write_bytes(
            _foreign_key() if fault == "key" else (self.mesh.state / "agents" / name / "key.pem").read_bytes()
        )
        return {"AEGIS_AGENT_FOLDER": str(folder)}

    def judged(self, agent: str) -> int:
        """How many decisions there are about the agent."""
        count = 0
        for path in (self.mesh.state / "records").glob("*/*.jsonl"):
            for line in path.read_text("utf-8").splitlines():
                record = json.loads(line)
                count += record.get("kind") == "decision" and record.get("agent") == agent
        return count

    async def decide(self, approval_id: str, verdict: str) -> None:
        """What the person does: `granted`, `denied`, or nothing until it is `expired`."""
        if verdict == "granted":
            await self.mesh.approve(approval_id)
        elif verdict == "denied":
            await self.mesh.aegis("approvals", "deny", approval_id, "--dir", str(self.mesh.state), "--note", "no")
        else:
            url = f"{self._facts.control}/v1/approvals/{approval_id}/status"
            while await asyncio.to_thread(_state, url) == "pending":
                await asyncio.sleep(0.1)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """A running mesh with the documents of the cases; it is gone when the block ends."""
    ledger = Ledger()
    async with serving(ledger.app()) as port:
        mesh = DemoMesh(folder, DemoTools(), ("--budget-ms", "5000"))  # what is held here is no latency
        mesh.policies.mkdir(parents=True)
        mesh.catalogue.mkdir()
        tool = (FOLDER / "mesh" / "tools" / "ledger.yaml").read_text("utf-8")
        (mesh.catalogue / "ledger.yaml").write_text(tool.replace("127.0.0.1:9001", f"127.0.0.1:{port}"), "utf-8")
        policy = (FOLDER / "mesh" / "agents" / "player.yaml").read_text("utf-8")
        for number in range(1, AGENTS + 1):
            text = policy.replace("agent: player\n", f"agent: player-{number}\n")
            (mesh.policies / f"player-{number}.yaml").write_text(text, "utf-8")
        try:
            await mesh.up()
            yield Stage(mesh, ledger)
        finally:
            ledger.clear()
            await mesh.down()


class Player:
    """A process that plays cases."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = iter(range(1, 10_000))

    async def play(self, case: dict[str, Any], stage: Stage, agent: str) -> dict[str, Any]:
        """What the player says of a case in its last line, and as `held` the approvals that it waited for."""
        number, held = next(self._numbers), []
        await self._say(
            {
                "id": number,
                "case": case["name"],
                "environment": stage.environment(agent, case.get("mesh")),
                "base": BASE,
                "calls": case["calls"],
                "together": case.get("together", False),
                "resend": case.get("resend", False),
            }
        )
        cancelling = asyncio.create_task(self._cancel(number, stage)) if case.get("cancel") else None
        try:
            async with asyncio.timeout(SECONDS):
                while (line := await self._line())["id"] == number and "held" in line:
                    held.append(line["held"])
                    await stage.decide(line["held"], case["person"])
                    await self._say({"id": number, "decided": line["held"]})
        finally:
            if cancelling is not None:
                cancelling.cancel()
        assert line["id"] == number, f"a line of another case: {line}"
        return {**line, "waited": held}

    async def _cancel(self, number: int, stage: Stage) -> None:
        await stage.ledger.arrival.wait()
        await self._say({"id": number, "cancel": True})

    async def _say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode("ascii") + b"\n")
        await self._process.stdin.drain()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        text = await self._process.stdout.readline()
        assert text, "the player ended before its case did; its standard error says why"
        line: dict[str, Any] = json.loads(text)
        return line


@asynccontextmanager
async def player(command: Sequence[str], environment: dict[str, str] | None = None) -> AsyncIterator[Player]:
    """A player, started by `command`; nothing of this process's agents or proxies is in its environment."""
    own = {name: value for name, value in os.environ.items() if _OURS.match(name) is None}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, env={**own, **(environment or {})}, limit=1 << 24
    )
    try:
        yield Player(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise


async def play_all(stage: Stage, player: Player) -> tuple[dict[str, str], list[str]]:
    """What became of each case ("" or why it cannot be played), and what is wrong, a sentence each."""
    agent, outcomes, problems = stage.agent(), {}, []
    for case in CASES:
        stage.ledger.clear()
        before = stage.judged(agent)
        line = await player.play(case, stage, agent)
        outcomes[case["name"]] = line.get("cannot", "")
        if "cannot" not in line:
            after = stage.judged(agent) - before
            problems += [f"{case['name']}: {problem}" for problem in differences(case, line, stage.ledger, after)]
    return outcomes, problems


def differences(case: dict[str, Any], line: dict[str, Any], ledger: Ledger, judged: int) -> list[str]:
    """Where what came of a case is not what the list says."""
    problems = []
    received, expected = ledger.bodies, case["received"]
    if case.get("together"):
        received, expected = _sorted(received), _sorted(expected)
    if received != expected:
        problems.append(f"the tool received {received}, not {expected}")
    if "keys" in case and len(ledger.keys) != case["keys"]:
        problems.append(f"{len(ledger.keys)} idempotency keys, not {case['keys']}")
    if judged != case["judged"]:
        problems.append(f"{judged} decisions, not {case['judged']}")
    if len(line["waited"]) != ("person" in case):
        problems.append(f"it waited for {line['waited']}")
    if (len(line["got"]), len(line["shown"])) != (len(case["got"]), len(case["shown"])):
        return [*problems, f"got {line['got']} and shown {line['shown']} are not one for each call"]
    for expectation, got in zip(case["got"], line["got"], strict=True):
        problems += [f"got {got}, whose {name} is not {value}" for name, value in _unmet(expectation, got)]
    for pattern, shown in zip(case["shown"], line["shown"], strict=True):
        if re.search(pattern, shown) is None:
            problems.append(f"the model was shown {shown!r}, in which there is no {pattern!r}")
    everywhere = json.dumps([ledger.bodies, line["got"], line["shown"]])
    problems += [f"{text} stands there" for text in case.get("hidden", []) if text in everywhere]
    return problems


def _unmet(expectation: dict[str, Any], got: dict[str, Any]) -> list[tuple[str, Any]]:
    """Members of what the program got that are otherwise. What has no place in a framework is not there at all."""
    if not got:
        return []
    head = "error" if "error" in expectation else "result"
    unmet = [] if got.get(head) == expectation[head] else [(head, expectation[head])]
    for name in expectation.keys() - {head} & got.keys():
        value = expectation[name]
        is_met = isinstance(got[name], int | float) and got[name] > 0 if value == "known" else got[name] == value
        unmet += [] if is_met else [(name, value)]
    return unmet


def _sorted(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(bodies, key=lambda body: json.dumps(body, sort_keys=True))


def _state(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # of the mesh that runs here
        return str(json.load(answer)["state"])


def _foreign_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
