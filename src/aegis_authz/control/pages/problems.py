"""Problems of pages as pages: a person in a browser reads no JSON."""

from __future__ import annotations

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis_authz.control.http import PROBLEM_MEDIA_TYPE, HttpProblem
from aegis_authz.control.pages.rendering import problem_page

_FOLDER = "/approvals"


class ProblemPages:
    """ASGI middleware: a problem document (RFC 9457) that answers a request for a page becomes a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == _FOLDER or path.startswith(f"{_FOLDER}/")):
            await self._app(scope, receive, send)
            return
        begin: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal begin
            if message["type"] == "http.response.start" and _is_problem(message):
                begin = message
            elif begin and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
            else:
                await send(message)

        await self._app(scope, receive, collect)
        if begin:
            page = problem_page(HttpProblem(begin["status"], str(json.loads(body)["detail"])), path)
            await page(scope, receive, send)


def _is_problem(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith(PROBLEM_MEDIA_TYPE)
