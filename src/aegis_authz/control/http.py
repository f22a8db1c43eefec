"""What every route of the control plane has in common: who may enter, what a body is, how a problem reads."""

from __future__ import annotations

import hmac
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis_authz.api.problem import DocumentProblem, FieldError, ProblemDocument
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.policy.source.problems import Problem, printable

_log = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
SMALL_BODY_BYTES = 16 * 1024
"""How large a body may be that carries no documents."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_MOST_ERRORS = 20
_MAX_FIELD = 160

Wait = Annotated[
    float,
    Query(ge=0, le=30, allow_inf_nan=False, description="Seconds to wait until every OPA runs it."),
]


class HttpProblem(Exception):
    """Ends a request with a problem document (RFC 9457). All of it is shown to the caller."""

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[Problem] = (),
        errors: Sequence[FieldError] = (),
        retry_after: float = 0.0,
        type_uri: str = "about:blank",
    ) -> None:
        """`retry_after` is in how many seconds asking again is of use, 0 to say nothing of it; `type_uri` names a kind
        of problem that a specification defines.
        """
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        self.document = ProblemDocument(
            type=type_uri,
            status=status,
            detail=detail,
            problems=tuple(DocumentProblem.of(problem) for problem in problems),
            errors=tuple(errors),
        )


def open_router() -> APIRouter:
    """Routes for everyone; none of them takes a body."""
    return APIRouter()


def strict_router(max_body_bytes: int = SMALL_BODY_BYTES) -> APIRouter:
    """Routes for everyone whose body is strict JSON of at most that size, read before FastAPI sees it."""

    class StrictRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            answer = super().get_route_handler()

            async def enter(request: Request) -> Response:
                return await answer(await StrictRequest.read(request, max_body_bytes))

            return enter

    return APIRouter(route_class=StrictRoute)


def guarded_router(token: str, role: str, max_body_bytes: int = SMALL_BODY_BYTES) -> APIRouter:
    """Routes for a program that bears this token (RFC 6750 section 2.1), 401 for all others; `role` names it in the
    API's document. Routes for people are those of `people_router`.

    A body is read as strict JSON of at most that size, before FastAPI sees it.
    """
    expected = token.encode("ascii")

    class GuardedRoute(APIRoute):
        # FastAPI reads a body before it asks any dependency: the bearer must be known before that.
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            answer = super().get_route_handler()

            async def enter(request: Request) -> Response:
                _require_bearer(request, expected)
                if self.body_field is None:
                    return await answer(request)
                return await answer(await StrictRequest.read(request, max_body_bytes))

            return enter

    # Refuses nobody; it says in the API's document what `enter` demands.
    bearer = Security(HTTPBearer(scheme_name=role, auto_error=False))
    return APIRouter(route_class=GuardedRoute, dependencies=[bearer])


def bearer_of(request: Request) -> bytes:
    """The secret in the request's one `Authorization: Bearer`; empty for every other scheme, and for two fields."""
    fields = request.headers.getlist("authorization")
    scheme, _, secret = fields[0].partition(" ") if len(fields) == 1 else ("", "", "")
    return secret.strip().encode("utf-8") if scheme.lower() == "bearer" else b""


def _require_bearer(request: Request, expected: bytes) -> None:
    # Compared whole and in constant time, so that time tells nothing.
    if not hmac.compare_digest(bearer_of(request), expected):
        raise HttpProblem(401, "this needs a bearer token")


class StrictRequest(Request):
    """A request whose body is one strict JSON object, read already."""

    def __init__(self, request: Request, raw: bytes, parsed: dict[str, Json]) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._parsed = parsed

    @classmethod
    async def read(cls, request: Request, max_bytes: int) -> StrictRequest:
        """Read the body. Raises HttpProblem with 400, 413 or 415."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise HttpProblem(415, "the body must be application/json")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpProblem(415, "the body must not be compressed")
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > max_bytes:
                raise HttpProblem(413, f"the body is larger than {max_bytes} bytes")
        try:
            return cls(request, bytes(raw), strict_json.parse_object(bytes(raw)))
        except Refused as refused:
            raise HttpProblem(400, f"the body is not acceptable JSON: {refused.detail}") from None

    @property
    def parsed(self) -> dict[str, Json]:
        """The object in the body."""
        return self._parsed

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> dict[str, Json]:
        return self._parsed


def problem_response(problem: HttpProblem) -> Response:
    """The problem document (RFC 9457)."""
    content = problem.document.model_dump(mode="json", exclude_defaults=True)
    headers = {"www-authenticate": 'Bearer realm="aegis"'} if problem.status == 401 else {}
    if problem.retry_after:
        headers["retry-after"] = str(math.ceil(problem.retry_after))
    return JSONResponse(content, problem.status, headers, PROBLEM_MEDIA_TYPE)


async def on_http_problem(request: Request, fault: Exception) -> Response:
    """The handler for HttpProblem, and for what Starlette and FastAPI raise themselves."""
    match fault:
        case HttpProblem():
            return problem_response(fault)
        case RequestValidationError():
            return problem_response(_invalid(fault))
        case HTTPException():
            response = problem_response(HttpProblem(fault.status_code, str(fault.detail)))
            response.headers.update(fault.headers or {})
            if fault.status_code == 405:
                response.headers["allow"] = ", ".join(_methods_at(request))
            return response
        case _:
            return problem_response(HttpProblem(500, "the control plane failed; its log says more"))


def _methods_at(request: Request) -> list[str]:
    """What can be asked of this path (RFC 9110 section 10.2.1): of all its routes, where Starlette says the first's."""
    at = [route for route in _routes_of(request.app) if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in at for method in route.methods or ()})


def _routes_of(router: FastAPI | APIRouter) -> Iterator[Route]:
    for route in router.routes:
        inside = getattr(route, "original_router", None)
        if isinstance(inside, APIRouter):  # what `include_router` leaves
            yield from _routes_of(inside)
        elif isinstance(route, Route):
            yield route


def _invalid(fault: RequestValidationError) -> HttpProblem:
    errors = [_field_error(error["loc"], error["msg"]) for error in fault.errors()[:_MOST_ERRORS]]
    first = errors[0]
    return HttpProblem(400, f"{first.field}: {first.message}" if first.field else first.message, errors=errors)


def _field_error(place: Sequence[str | int], message: str) -> FieldError:
    # The first part is where it stands: body, query, path or header. Names of members are the caller's: cut and
    # cleaned.
    field = printable("/".join(map(str, place[1:])))
    return FieldError(field=field[:_MAX_FIELD], message=message)


class SecurityHeaders:
    """ASGI middleware: every answer says that it is no page and is kept nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)  # a page has a policy of its own
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_marked)


class Failures:
    """ASGI middleware: what failed in a way that nobody foresaw is in the log whole, and a problem to the caller.

    Starlette's own stands outside of all other middleware, so that its answer would bear none of their headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_begun = False

        async def note(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            if is_begun or scope["type"] != "http":
                raise
            _log.exception("%s %s failed", scope["method"], scope["path"])
            problem = HttpProblem(500, "the control plane failed; its log says more")
            await problem_response(problem)(scope, receive, send)


class HeadAsGet:
    """ASGI middleware: HEAD is answered as GET is (RFC 9110 section 9.3.2); the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self._app({**scope, "method": "GET"} if is_head else scope, receive, send)
