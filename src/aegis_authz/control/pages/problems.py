"""Problems of pages as pages: a person in a browser reads no JSON."""

from __future__ import annotations

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis_authz.control.http import PROBLEM_MEDIA_TYPE, HttpProblem
from aegis_authz.control.pages.frame import is_of_pages
from aegis_authz.control.pages.rendering import problem_page

_TO_BROWSERS = ("allow", "retry-after")


class ProblemPages:
    """ASGI middleware: a problem document (RFC 9457) becomes a page where one was asked for: wherever pages are, and
    wherever a browser, which says that it takes HTML, asks for something else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (is_of_pages(path) or _takes_pages(scope)):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # what the gate notes of the reader is for this page, too
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
            page = problem_page(HttpProblem(begin["status"], str(json.loads(body)["detail"])), Request(scope))
            headers = Headers(raw=begin["headers"])
            page.headers.update({name: headers[name] for name in _TO_BROWSERS if name in headers})
            await page(scope, receive, send)


def _takes_pages(scope: Scope) -> bool:
    return any("text/html" in value for value in Headers(scope=scope).getlist("accept"))


def _is_problem(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith(PROBLEM_MEDIA_TYPE)
