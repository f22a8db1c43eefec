"""The doors of a mesh: one good call through each, and what its caller sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from aegis_authz.core.effect import Effect
from aegis_authz.demo.agent import Tokens
from aegis_authz.server.evaluation_app import EVALUATION_PATH
from tests.support.questions import question_document

GITHUB = "http://github.mcp.example/mcp"
LET_THROUGH = {Effect.ALLOW.value, Effect.SANITIZE.value}
_HEADERS = (("content-type", "application/json"), ("accept", "application/json, text/event-stream"))


@dataclass(frozen=True, slots=True)
class Door:
    """A way in, by a call that policy allows."""

    name: str
    agent: str
    method: str
    url: str
    body: bytes


def _rpc(method: str, params: Mapping[str, object]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()


PLAIN = Door("plain HTTP", "finance-agent", "POST", "http://api.stripe.example/v1/payments", b'{"amount":4200}')
TOOLS_CALL = Door(
    *("tools/call", "coding-agent", "POST", GITHUB),
    _rpc("tools/call", {"name": "list_issues", "arguments": {"repo": "aegis"}}),
)
TOOLS_LIST = Door("other MCP", "coding-agent", "POST", GITHUB, _rpc("tools/list", {}))
REDACTED = Door("redacted", "clinic-agent", "PUT", "http://ehr.example/records/p-17", b'{"note":"SSN 078-05-1120"}')
QUESTION = Door(
    *("question", "finance-agent", "POST", EVALUATION_PATH),
    json.dumps(
        question_document("acme/emea/finance-agent", "stripe-payments", "create_payment", {"amount": 4200})
    ).encode(),
)
"""Asked of the evaluation endpoint, which no Envoy stands before."""
MCP_DOORS = (TOOLS_CALL, TOOLS_LIST)
ENVOY_DOORS = (PLAIN, *MCP_DOORS, REDACTED)
DOORS = (*ENVOY_DOORS, QUESTION)
CHARGED = Door("a charged call", "spender", "POST", "http://api.stripe.example/v1/payments", b'{"amount":1}')
"""Not among the doors: what it may be charged is not known after each fault of Redis."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: the headers beyond those that every call has, the tokens among them, and the body."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a call. `form` is the kind of answer; `ms` the record's own total, None when there is no record."""

    status: int
    decision: str
    reason: str
    form: str
    ms: float | None

    @property
    def let_through(self) -> bool:
        return self.decision in LET_THROUGH

    @property
    def recorded(self) -> bool:
        return self.ms is not None


class Caller:
    """Calls through the forward proxy, asks at the evaluation endpoint, and looks up what was recorded."""

    def __init__(self, proxy: str, evaluation: str, records: Path, tokens: Tokens) -> None:
        self._http = httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=10)
        # each question on a connection of its own: workers share the port, and die in these tests
        alone = httpx.Limits(max_keepalive_connections=0)
        self._endpoint = httpx.AsyncClient(base_url=evaluation, trust_env=False, timeout=10, limits=alone)
        self._records = records
        self.tokens = tokens

    async def close(self) -> None:
        await self._http.aclose()
        await self._endpoint.aclose()

    async def call(self, door: Door, sent: Sent | None = None) -> Seen:
        """Make the good call of a door with a fresh token, or send something else."""
        if sent is None:
            sent = Sent((("x-aegis-token", self.tokens.mint(door.agent)),), door.body)
        headers = [*_HEADERS, *sent.headers]
        client = self._endpoint if door is QUESTION else self._http
        reply = await client.request(door.method, door.url, headers=headers, content=sent.body)
        decision = _answer(reply.json()) if door is QUESTION else reply.headers.get("x-aegis-decision", "")
        decision_id = reply.headers.get("x-aegis-decision-id", "")
        record = self._record(decision_id) if decision_id else None
        if decision in LET_THROUGH:
            assert record is not None, f"{door.name}: let through without a record"
            assert record["effect"] in LET_THROUGH, record
            return Seen(reply.status_code, decision, record["reason"], "let through", record["total_ms"])
        assert reply.content, f"{door.name}: {reply.status_code} {dict(reply.headers)}"
        form, facts = _facts(reply.json())
        assert facts["decision"] == decision
        if record is None or facts["reason"] == "RECORD_FAILED":
            # a record whose writing could not be confirmed in time may have been written all the same
            return Seen(reply.status_code, decision, facts["reason"], form, None)
        assert (record["reason"], record["effect"]) == (facts["reason"], decision)
        return Seen(reply.status_code, decision, facts["reason"], form, record["total_ms"])

    async def until_open(self, seconds: float, doors: Sequence[Door] = DOORS) -> None:
        """Return once a good call passes each door. Raises TimeoutError, which names the last answer."""
        seen: Seen | None = None
        try:
            async with asyncio.timeout(seconds):
                for door in doors:
                    while not (seen := await self.call(door)).let_through:
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"no call passed {door.name}; the last answer was {seen}") from None

    def _record(self, decision_id: str) -> dict[str, Any] | None:
        """The record of a decision; None when there is none, or what was written of it is no line of a log."""
        for path in self._records.glob("*/*.jsonl"):
            for line in path.read_bytes().splitlines():
                if line.startswith(b'{"writer":') and decision_id.encode() in line and line.count(b'{"writer":') == 1:
                    record: dict[str, Any] = json.loads(line)
                    if record["kind"] == "decision" and record["decision_id"] == decision_id:
                        return record
        return None


def _answer(body: Any) -> str:
    """The effect of an answer to a question, whose `decision` must say the same."""
    effect: str = body["context"]["effect"]
    assert body["decision"] is (effect in LET_THROUGH), body
    return effect


def _facts(body: Any) -> tuple[str, dict[str, str]]:
    """The kind of a refusal and what it says, from one of the four shapes a refusal takes."""
    if "context" in body:
        return "`false`", {**body["context"], "decision": body["context"]["effect"]}
    if "result" in body:
        assert body["result"]["isError"] is True
        return "tool result", body["result"]["_meta"]["aegis"]
    if "jsonrpc" in body:
        return "JSON-RPC error", body["error"]["data"]["aegis"]
    return "problem", body
