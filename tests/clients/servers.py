"""The tools behind the mesh of these tests: what APIs answer, and an MCP server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


async def _chat(request: Request) -> Response:
    asked = await request.json()
    if asked.get("stream"):
        return StreamingResponse(_chunks(asked), media_type="text/event-stream")
    message = {"role": "assistant", "content": f"heard: {asked['messages'][-1]['content']}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return JSONResponse(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
    )


async def _chunks(asked: dict[str, Any]) -> AsyncIterator[str]:
    for word in ("heard: ", asked["messages"][-1]["content"]):
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        chunk = {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked["model"],
            "choices": [choice],
        }
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


async def _customer(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"], "object": "customer", "name": "Ada"})


async def _intent(request: Request) -> JSONResponse:
    """Reads a form as servers of forms do, whatever its client says of it."""
    form = dict(parse_qsl((await request.body()).decode("ascii"), strict_parsing=True))
    methods = [form[f"payment_method_types[{place}]"] for place in range(2)]
    return JSONResponse(
        {
            "id": "pi_1",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "description": form["description"],
            "metadata": {"order": form["metadata[order]"]},
            "payment_method_types": methods,
        }
    )


async def _file(request: Request) -> JSONResponse:
    async with request.form() as form:
        upload = form["file"]
        if not isinstance(upload, UploadFile):
            return JSONResponse({"error": {"message": "no file"}}, 400)
        digest = hashlib.sha256(await upload.read()).hexdigest()
        return JSONResponse({"id": f"{upload.filename} {digest[:8]} {form['purpose']}", "object": "file"})


async def _message(request: Request) -> JSONResponse:
    asked = await request.json()
    return JSONResponse({"ok": True, "channel": asked["channel"], "ts": "1.0", "message": {"text": asked["text"]}})


async def _repository(request: Request) -> JSONResponse:
    name = f"{request.path_params['owner']}/{request.path_params['repo']}"
    return JSONResponse({"id": 1, "full_name": name, "url": f"http://api.github.example/repos/{name}"})


async def _object(request: Request) -> Response:
    digest = hashlib.sha256(await request.body()).hexdigest()
    return Response(headers={"etag": f'"{request.path_params["key"]} {digest[:8]}"'})


async def _operations(request: Request) -> JSONResponse:
    """Runs a batch operation by operation, as servers of GraphQL do."""
    asked = await request.json()
    answers = [_operation(one) for one in asked] if isinstance(asked, list) else _operation(asked)
    return JSONResponse(answers)


def _operation(asked: dict[str, Any]) -> dict[str, Any]:
    is_log = "log" in asked["query"]
    return {"data": {"log": True} if is_log else {"pay": asked["variables"]["n"]}}


def http_app() -> Starlette:
    routes = [
        Route("/v1/chat/completions", _chat, methods=["POST"]),
        Route("/v1/customers/{id}", _customer),
        Route("/graphql", _operations, methods=["POST"]),
        Route("/v1/payment_intents", _intent, methods=["POST"]),
        Route("/v1/files", _file, methods=["POST"]),
        Route("/api/chat.postMessage", _message, methods=["POST"]),
        Route("/repos/{owner}/{repo}", _repository),
        Route("/evidence/{key:path}", _object, methods=["PUT"]),
    ]
    return Starlette(routes=routes)


def mcp_app() -> Starlette:
    server = MCPServer("notes", log_level="ERROR")

    @server.tool()
    def write_note(text: str) -> str:
        """Write a note."""
        return f"wrote: {text}"

    security = TransportSecuritySettings(allowed_hosts=["notes.mcp.example"], allowed_origins=[])
    return server.streamable_http_app(transport_security=security)
