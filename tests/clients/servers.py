"""The tools behind the mesh of these tests: what four APIs answer, and an MCP server."""

from __future__ import annotations

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def _chat(request: Request) -> JSONResponse:
    asked = await request.json()
    message = {"role": "assistant", "content": f"heard: {asked['messages'][-1]['content']}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return JSONResponse(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
    )


async def _customer(request: Request) -> JSONResponse:
    return JSONResponse({"id": request.path_params["id"], "object": "customer", "name": "Ada"})


async def _message(request: Request) -> JSONResponse:
    asked = await request.json()
    return JSONResponse({"ok": True, "channel": asked["channel"], "ts": "1.0", "message": {"text": asked["text"]}})


async def _repository(request: Request) -> JSONResponse:
    name = f"{request.path_params['owner']}/{request.path_params['repo']}"
    return JSONResponse({"id": 1, "full_name": name, "url": f"http://api.github.example/repos/{name}"})


def http_app() -> Starlette:
    routes = [
        Route("/v1/chat/completions", _chat, methods=["POST"]),
        Route("/v1/customers/{id}", _customer),
        Route("/api/chat.postMessage", _message, methods=["POST"]),
        Route("/repos/{owner}/{repo}", _repository),
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
