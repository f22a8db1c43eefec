"""Money through a whole mesh: reserved, settled by what happened, given back, and added up by `aegis spend`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.serving import serving
from aegis_authz.demo.use_cases.run import traced_mesh
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.local.documents import example_documents
from tests.support.browser import axe_core, chromium, picture, problems, sign_in_by_link, visit

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TOOL = """
tool: model
host: api.model.example
upstream: http://127.0.0.1:{port}
cost: {{llm: {{model: /model}}}}
actions: {{chat: {{match: POST /v1/chat/completions}}}}
---
prices: {{currency: USD, models: {{small: {{input: 1, output: 2}}}}}}
"""
POLICY = """
org: acme
tenant: emea
agent: writer
allowed_tools:
  - {name: model, actions: [chat], budget: 0.01 USD/day}
"""
URL = "http://api.model.example/v1/chat/completions"
LIMITS = ("limits", "show")
USAGE = {"prompt_tokens": 30, "completion_tokens": 20}


async def _answer(request: Request) -> Response:
    call = await request.json()
    if call["user"] == "fails":
        return JSONResponse({"error": "busy"}, 503)
    if call["user"] == "streams":
        events = [f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n" for usage in (None, USAGE)]
        return StreamingResponse(iter(events), media_type="text/event-stream")
    return JSONResponse({"choices": [], "usage": USAGE} if call["user"] == "tells" else {"choices": []})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> SpanReceiver:
    """Where this mesh exports its spans to."""
    return SpanReceiver()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory, receiver: SpanReceiver) -> AsyncIterator[DemoMesh]:
    documents = tmp_path_factory.mktemp("documents")
    for folder in ("agents", "tools"):
        (documents / folder).mkdir()
    shutil.copytree(example_documents() / "packs", documents / "packs")  # of whose tools the demo's own documents speak
    (documents / "agents" / "writer.yaml").write_text(POLICY)
    async with serving(Starlette(routes=[Route("/v1/chat/completions", _answer, methods=["POST"])])) as port:
        (documents / "tools" / "model.yaml").write_text(TOOL.format(port=port))
        async with traced_mesh(tmp_path_factory.mktemp("costs"), documents, receiver) as running:
            yield running


async def records(mesh: DemoMesh, decision_id: str, kind: str) -> dict[str, Any]:
    """The record of that kind of a decision, once it is there."""
    async with asyncio.timeout(60):
        while True:
            shown = json.loads(await mesh.aegis("audit", "show", decision_id, "--dir", str(mesh.state), "--json"))
            found = [stored["record"] for stored in shown if stored["record"]["kind"] == kind]
            if found:
                return dict(found[0])


async def ask(agent: Agent, user: str, longest: int) -> Any:
    body = {"model": "small", "max_tokens": longest, "user": user}
    return await agent.call("writer", "POST", URL, body)


async def test_a_budget_holds_what_calls_used_and_not_what_they_might_have(mesh: DemoMesh) -> None:
    agent = agent_of(mesh)
    try:
        used = 0
        for user, costs in (("tells", 70), ("streams", 70), ("fails", 0)):
            reply = await ask(agent, user, 4000)  # the budget has room for one such call at a time
            assert reply.decision == "allow", reply
            decision = await records(mesh, reply.decision_id, "decision")
            assert decision["charges"][0]["used"] == used + decision["cost"]["micros"]
            outcome = await records(mesh, reply.decision_id, "outcome")
            assert outcome["cost"]["state"] == ("released" if user == "fails" else "estimated")
            if user != "fails":
                usage = await records(mesh, reply.decision_id, "usage")
                assert (usage["cost"]["micros"], usage["cost"]["state"], usage["output_tokens"]) == (70, "measured", 20)
            used += costs
        silent = await ask(agent, "says nothing", 4000)
        assert (await records(mesh, silent.decision_id, "usage"))["cost"]["state"] == "estimated"
        estimate = (await records(mesh, silent.decision_id, "decision"))["cost"]["micros"]
        shown = json.loads(await mesh.aegis(*LIMITS, "--dir", str(mesh.state), "--agent", "acme/emea/writer", "--json"))
        assert [(entry["used"], entry["of"]) for entry in shown["limits"]] == [(140 + estimate, 10_000)]
        over = await ask(agent, "tells", 4000)
        assert (over.decision, over.reason) == ("deny", "BUDGET_EXCEEDED")
        unknown = await agent.call("writer", "POST", URL, {"model": "large", "max_tokens": 1})
        assert (unknown.decision, unknown.reason) == ("deny", "COST_UNKNOWN")
    finally:
        await agent.close()
    (row,) = json.loads(await mesh.aegis("spend", "--dir", str(mesh.state), "--by", "agent,tool", "--json"))
    assert (row["agent"], row["tool"], row["calls"], row["released_calls"]) == ("acme/emea/writer", "model", 4, 1)
    assert (row["micros"], row["unsettled_micros"]) == (140 + estimate, estimate)
    assert (await mesh.aegis("audit", "verify", "--dir", str(mesh.state))).splitlines()[-1].startswith("intact")


async def test_what_a_call_costs_in_the_end_is_a_span_in_the_trace_of_its_decision(
    mesh: DemoMesh, receiver: SpanReceiver
) -> None:
    agent = agent_of(mesh)
    try:
        told, failed = await ask(agent, "tells", 100), await ask(agent, "fails", 100)
    finally:
        await agent.close()
    for reply, state, settled in ((told, "measured", "7e-05"), (failed, "released", "0")):
        assert reply.decision == "allow", reply
        span = await receiver.settlement(reply.decision_id, 60)
        (check,) = await receiver.views([reply.decision_id], 60)
        assert span.trace_id == check.trace_id
        assert "aegis.settle" in check.children
        names = ("aegis.cost.state", "aegis.cost.settled", "aegis.agent")
        assert [span.attributes[name] for name in names] == [state, settled, "writer"]
        assert span.attributes["aegis.cost.estimated"] == check.attributes["aegis.cost.estimated"]


async def test_the_page_of_spend_draws_what_calls_cost_and_shows_what_is_left(mesh: DemoMesh, tmp_path: Path) -> None:
    await mesh.aegis("people", "add", "fay", "--name", "Fay", "--role", "owner", "--dir", str(mesh.state))
    control = str(json.loads((mesh.state / "mesh.json").read_text())["control"])
    (row,) = json.loads(await mesh.aegis("spend", "--dir", str(mesh.state), "--by", "agent,tool", "--json"))
    async with chromium() as browser, visit(browser, control) as fay:
        page = await fay.page()
        await sign_in_by_link(mesh, page, "fay")
        await page.goto("/spend")
        await expect(page.locator("main")).to_contain_text(f"{row['calls']} calls")
        assert await page.locator("main svg title").count() >= 4
        await expect(page.locator("main")).to_contain_text("acme/emea/writer")
        await picture(page, "spend", tmp_path)
        assert await problems(page, axe_core()) == []
        assert fay.complaints == []
