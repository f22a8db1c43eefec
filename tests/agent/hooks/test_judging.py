"""A call is made on an allow alone: asked through a mesh that judges each proof, of an endpoint that a test scripts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from aegis_authz.agent.hooks.dialects import ToolUse
from aegis_authz.agent.hooks.judging import HookJudge, HookTarget
from aegis_authz.agent.serving import serving
from tests.support.agent_mesh import AGENT, SmallMesh, calling, new_key, small_mesh

USE = ToolUse("Bash", {"command": "ls"}, "/p")
ALLOW = {"decision": True, "context": {"effect": "allow", "outcome": {}}}


class Endpoint:
    """Says what a test has it say."""

    def __init__(self, status: int, body: bytes) -> None:
        self._status = status
        self._body = body
        self.questions: list[tuple[Any, str]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.questions.append((json.loads(await request.content.read()), request.headers.get("prefer", "")))
        return web.Response(status=self._status, body=self._body)


@asynccontextmanager
async def judging(endpoint: Endpoint, wait: int = 0) -> AsyncIterator[tuple[HookJudge, SmallMesh]]:
    async with small_mesh() as mesh, serving(endpoint, "127.0.0.1:0") as listening:
        mesh.upstream = listening.url
        key = new_key()
        mesh.enrol(key)
        async with calling(mesh, key) as caller:
            yield HookJudge(caller, HookTarget(mesh.url, str(AGENT), "claude-code", wait)), mesh


async def test_an_allow_is_no_refusal_and_the_question_is_that_of_the_call() -> None:
    endpoint = Endpoint(200, json.dumps(ALLOW).encode())
    async with judging(endpoint, wait=30) as (judge, mesh):
        assert await judge.refusal(USE) is None
        assert await judge.refusal(USE) is None
        assert mesh.refusals == []
    question = {
        "subject": {"type": "agent", "id": str(AGENT)},
        "resource": {"type": "tool", "id": "claude-code"},
        "action": {"name": "Bash", "properties": {"command": "ls"}},
    }
    assert endpoint.questions == [(question, "wait=30")] * 2


async def test_a_denial_is_told_in_the_words_of_the_mesh() -> None:
    answer = {"decision": False, "context": {"reason": "POLICY_DENIED", "detail": "Bash was refused."}}
    async with judging(Endpoint(200, json.dumps(answer).encode())) as (judge, _):
        assert await judge.refusal(USE) == "Bash was refused."


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"ok"),
        (200, b"[true]"),
        (200, b'{"decision":true}'),
        (200, b'{"decision":true,"context":null}'),
        (200, b'{"decision":"true","context":{}}'),
        (200, b'{"decision":1,"context":{}}'),
        (200, b'{"decision":false,"decision":true,"context":{}}'),
        (
            200,
            json.dumps({"decision": True, "context": {"obligations": [{"id": "result", "type": "redact"}]}}).encode(),
        ),
        (200, b'{"decision":true,"context":{"obligations":null}}'),
        (200, b'{"decision":true,"context":{"obligations":{}}}'),
        (200, b'{"decision":true,"context":{"obligations":""}}'),
        (200, b'{"decision":false,"context":{}}'),
        (201, json.dumps(ALLOW).encode()),
        (302, json.dumps(ALLOW).encode()),
        (500, json.dumps(ALLOW).encode()),
        (200, json.dumps(ALLOW).encode() + b" " * 1_048_577),
    ],
)
async def test_whatever_is_no_allow_is_a_refusal(status: int, body: bytes) -> None:
    async with judging(Endpoint(status, body)) as (judge, _):
        refusal = await judge.refusal(USE)
    assert refusal is not None
    assert refusal.startswith("Bash was not called: ")


async def test_without_a_mesh_or_a_token_nothing_is_called() -> None:
    async with small_mesh() as mesh, calling(mesh, new_key()) as caller:
        target = HookTarget("http://127.0.0.1:1", str(AGENT), "claude-code", 0)
        refusal = await HookJudge(caller, target).refusal(USE)
    assert refusal is not None
    assert refusal.startswith("Bash was not called: Not sent: ")


async def test_an_endpoint_that_does_not_answer_is_named() -> None:
    async with small_mesh() as mesh:
        key = new_key()
        mesh.enrol(key)
        async with calling(mesh, key) as caller:
            target = HookTarget("http://127.0.0.1:1", str(AGENT), "claude-code", 0)
            refusal = await HookJudge(caller, target).refusal(USE)
    assert refusal is not None
    assert refusal.startswith("Bash was not called: The mesh at http://127.0.0.1:1 does not answer: ")
