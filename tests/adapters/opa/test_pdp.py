"""The PDP adapter against a real OPA with a small policy of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.adapters.opa.pdp import LONG, OpaPdp
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Evaluation
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

POLICY = """
package aegis.authz

answer := {"revision": "r1", "decisions": [decide(c) | some c in input.calls]}

base := {
    "effect": "allow", "reason": "ALLOWED", "detail": "", "policies": ["p"],
    "obligations": [], "findings": [], "approval": null, "would": null,
}

decide(c) := object.union(base, {"detail": c.action.name}) if not startswith(c.action.name, "odd")

decide(c) := object.union(base, {"effect": "maybe"}) if c.action.name == "odd-effect"

decide(c) := object.union(base, {"obligations": [{"kind": "teleport"}]}) if c.action.name == "odd-obligation"

decide(c) := 1 if c.action.name == "odd-conflict"

decide(c) := 2 if c.action.name == "odd-conflict"
"""


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "opa.sock"


@pytest.fixture
async def opa(tmp_path: Path, socket: Path, opa_binary: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    policy = tmp_path / "policy.rego"
    policy.write_text(POLICY)
    arguments = [str(opa_binary), "run", "--server", "--addr", f"unix://{socket}", "--log-level", "error", str(policy)]
    process = subprocess.Popen([*arguments, "--disable-telemetry"])
    try:
        async with asyncio.timeout(20):
            while not await _answers(socket):
                await asyncio.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


async def _answers(socket: Path) -> bool:
    http = OpaHttp(socket)
    try:
        return (await http.get("/health"))[0] == 200
    except OpaUnreachable:
        return False
    finally:
        await http.close()


@pytest.fixture
async def pdp(socket: Path) -> AsyncIterator[OpaPdp]:
    adapter = OpaPdp(OpaHttp(socket), max_queries=1, max_batch=8)
    yield adapter
    await adapter.close()


def question(action: str) -> Evaluation:
    identity = Identity(Scope("acme", "emea", "bot"), "aegis", "k", "j", 0.0, 1.0, (), "", Way.TOKEN, None, "", None)
    call = ToolCall(CallKind.ACTION, "t", action, {}, (), "h", None, "GET", "/", "", NO_RPC, "d", "", "http", {}, {}, 0)
    return Evaluation(identity, call, 0.0, "test", "", frozenset(), None)


async def ask(pdp: OpaPdp, action: str, seconds: float = 5) -> str:
    try:
        decision = await pdp.evaluate(question(action), time.monotonic() + seconds)
    except Refused as refused:
        return refused.reason.value
    assert decision.effect is Effect.ALLOW
    return decision.detail


@pytest.mark.usefixtures("opa")
async def test_calls_that_arrive_together_each_get_their_own_answer(pdp: OpaPdp) -> None:
    actions = [f"a{number}" for number in range(50)]
    assert await asyncio.gather(*(ask(pdp, action) for action in actions)) == actions


@pytest.mark.usefixtures("opa")
async def test_a_long_call_is_judged_in_a_query_of_its_own(socket: Path) -> None:
    class NotedHttp(OpaHttp):
        calls: ClassVar[list[int]] = []

        async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
            self.calls.append(len(json.loads(body)["input"]["calls"]))
            return await super().post(path, body)

    adapter = OpaPdp(NotedHttp(socket), max_queries=1, max_batch=8)
    actions = ["a", "b" * LONG, "c", "d" * LONG]
    assert await asyncio.gather(*(ask(adapter, action) for action in actions)) == actions
    assert sorted(NotedHttp.calls) == [1, 1, 2]
    assert [await ask(adapter, "e" * LONG, seconds=0.0001)] == [Reason.PDP_TIMEOUT.value]
    await adapter.close()


@pytest.mark.usefixtures("opa")
@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ("odd-conflict", Reason.DECISION_MALFORMED),
        ("odd-undefined", Reason.DECISION_MALFORMED),
        ("odd-effect", Reason.DECISION_MALFORMED),
        ("odd-obligation", Reason.OBLIGATION_UNKNOWN),
    ],
)
async def test_a_call_that_spoils_its_batch_harms_itself_alone(pdp: OpaPdp, poison: str, reason: Reason) -> None:
    answers = await asyncio.gather(*(ask(pdp, action) for action in ("a", poison, "b")))
    assert answers == ["a", reason.value, "b"]


async def test_an_absent_opa_is_unavailable(pdp: OpaPdp) -> None:
    assert await ask(pdp, "a") == Reason.PDP_UNAVAILABLE.value


async def test_an_opa_that_dies_and_returns_is_asked_again(pdp: OpaPdp, opa: subprocess.Popen[bytes]) -> None:
    assert await ask(pdp, "a") == "a"
    opa.kill()
    opa.wait()
    assert await ask(pdp, "a") == Reason.PDP_UNAVAILABLE.value


async def test_an_opa_that_hangs_costs_its_time_and_no_more(pdp: OpaPdp, opa: subprocess.Popen[bytes]) -> None:
    assert await ask(pdp, "a") == "a"
    opa.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, opa.pid, os.WSTOPPED)  # a signal is on its way for a while
    assert await ask(pdp, "a", seconds=0.05) == Reason.PDP_TIMEOUT.value
    opa.send_signal(signal.SIGCONT)
    assert await ask(pdp, "b") == "b"  # and not the late answer to "a"


async def test_a_server_that_speaks_no_http_is_unavailable(pdp: OpaPdp, socket: Path) -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"garbage\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(garble, str(socket)):
        assert await ask(pdp, "a") == Reason.PDP_UNAVAILABLE.value


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"not json",
        b'{"result":{}}',
        b'{"result":{"revision":"r","decisions":[]}}',
        b'{"result":{"revision":"","decisions":[{}]}}',
        json.dumps({"result": {"revision": "r", "decisions": [{"effect": "allow"}]}}).encode(),
        json.dumps({"result": {"revision": "r", "decisions": [True]}}).encode(),
    ],
)
async def test_an_answer_of_another_shape_is_never_an_allow(pdp: OpaPdp, socket: Path, body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, str(socket)):
        assert await ask(pdp, "a") in ("DECISION_MALFORMED", "DECISION_UNDEFINED")
