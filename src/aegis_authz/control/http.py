"""What every door of the control plane has in common: who may enter, what a body is, how a problem reads."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

Endpoint = Callable[[Request], Awaitable[Response]]

_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_MAX_WAIT = 30.0


class HttpProblem(Exception):
    """Ends a request with a problem document (RFC 9457). `detail` and `extra` are shown to the caller."""

    def __init__(self, status: int, detail: str, **extra: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.extra = extra


def guarded(token: str, endpoint: Endpoint) -> Endpoint:
    """The endpoint for callers who bear this token (RFC 6750 section 2.1), 401 for all others."""
    wanted = token.encode("ascii")

    async def enter(request: Request) -> Response:
        sent = request.headers.getlist("authorization")
        scheme, _, given = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        # Compared whole and in constant time, whatever the scheme, so that time tells nothing.
        same = hmac.compare_digest(given.strip().encode("utf-8"), wanted)
        if not same or scheme.lower() != "bearer":
            raise HttpProblem(401, "this needs a bearer token")
        return await endpoint(request)

    return enter


async def json_body(request: Request, max_bytes: int) -> dict[str, Json]:
    """The body as one strict JSON object. Raises HttpProblem with 400, 413 or 415."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HttpProblem(415, "the body must be application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpProblem(415, "the body must not be compressed")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise HttpProblem(413, f"the body is larger than {max_bytes} bytes")
    try:
        return strict_json.parse_object(bytes(body))
    except Refused as refused:
        raise HttpProblem(400, f"the body is not acceptable JSON: {refused.detail}") from None


def only(body: Mapping[str, Json], *known: str) -> None:
    """Raises HttpProblem(400) when the body has another member."""
    for name in body:
        if name not in known:
            raise HttpProblem(400, f"unknown member {name[:80]!r}; known are {', '.join(known)}")


def text_of(body: Mapping[str, Json], name: str, max_length: int, default: str | None = None) -> str:
    """A one-line text member; `default` None means it is required. Raises HttpProblem(400)."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise HttpProblem(400, f"{name} must be a text")
    if default is None and not value:
        raise HttpProblem(400, f"{name} must not be empty")
    if len(value) > max_length or not value.isprintable():
        raise HttpProblem(400, f"{name} must be at most {max_length} printable characters on one line")
    return value


def wait_of(request: Request, default: float) -> float:
    """The seconds of `?wait=`, 0 to 30. Raises HttpProblem(400)."""
    text = request.query_params.get("wait")
    if text is None:
        return default
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= _MAX_WAIT:
        raise HttpProblem(400, f"wait must be 0 to {_MAX_WAIT:g} seconds")
    return wait


def problem_response(problem: HttpProblem) -> Response:
    """The problem document (RFC 9457)."""
    content = {"type": "about:blank", "status": problem.status, "detail": problem.detail, **problem.extra}
    headers = {"www-authenticate": 'Bearer realm="aegis"'} if problem.status == 401 else None
    return JSONResponse(content, problem.status, headers, "application/problem+json")


async def on_http_problem(_: Request, fault: Exception) -> Response:
    """Starlette's handler for HttpProblem and for its own HTTPException."""
    if isinstance(fault, HttpProblem):
        return problem_response(fault)
    if isinstance(fault, HTTPException):
        response = problem_response(HttpProblem(fault.status_code, str(fault.detail)))
        response.headers.update(fault.headers or {})
        return response
    return problem_response(HttpProblem(500, "the control plane failed; its log says more"))


class SecurityHeaders:
    """ASGI middleware: every answer says that it is no page and is kept nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_marked)
