"""The evaluation endpoint in HTTP: bounded bodies, read in bounded time, and nothing taken from a header it does not
name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aegis_authz.core.refused import Refused
from aegis_authz.server.evaluation import EvaluationDesk, Reply
from aegis_authz.server.request_body import NotWhole, whole_body
from aegis_authz.wire.authzen.answer import REQUESTS_PATH, refusal
from aegis_authz.wire.http.call import HttpCall

EVALUATION_LISTENER: Final = "evaluation"
"""What the settings of identity call it, beside the listeners of Envoy."""
EVALUATION_PATH: Final = "/access/v1/evaluation"
OUTCOME_PATH: Final = "/access/v1/outcome"
METADATA_PATH: Final = "/.well-known/authzen-configuration"
MOST_QUESTION_BYTES: Final = 256 * 1024
MOST_REPORT_BYTES: Final = 1024 * 1024

_LEAST_WAIT, _MOST_WAIT = 1.0, 300.0
_READ = ("content-encoding", "content-length", "content-type", "traceparent", "x-aegis-approval", "x-aegis-proof")
_READ_AS = {"authorization": "proxy-authorization"}
"""A bearer token stands where HTTP has it for a server; behind here it is read where a proxy is shown one."""
_TOKEN = "x-aegis-token"  # noqa: S105  # the name of a header
_REQUEST_ID = "x-request-id"


def evaluation_app(desk: EvaluationDesk, url: str) -> Starlette:
    """The app. `url` is where it is reached, without a slash at the end: what a proof is made for."""
    place = urlsplit(url)

    async def evaluation(request: Request) -> Response:
        body = await whole_body(request, MOST_QUESTION_BYTES)
        http = _call(request, place.scheme, place.hostname or "", place.port, body)
        async with _departure(request) as gone:
            return _response(request, await desk.evaluate(http, _wait(request), gone))

    async def outcome(request: Request) -> Response:
        body = await whole_body(request, MOST_REPORT_BYTES)
        http = _call(request, place.scheme, place.hostname or "", place.port, body)
        return _response(request, await desk.report(http))

    async def metadata(request: Request) -> Response:
        try:
            base = desk.requests_base
        except Refused:
            base = ""
        document = {"policy_decision_point": url, "access_evaluation_endpoint": f"{url}{EVALUATION_PATH}"}
        if base:
            document["access_request_endpoint"] = f"{base}{REQUESTS_PATH}"
        return _response(request, Reply(200, {}, orjson.dumps(document)))

    return Starlette(
        routes=[
            Route(EVALUATION_PATH, _bounded(evaluation), methods=["POST"]),
            Route(OUTCOME_PATH, _bounded(outcome), methods=["POST"]),
            Route(METADATA_PATH, metadata, methods=["GET"]),
        ]
    )


def _bounded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Nothing is judged, and nothing recorded, of a body that is not there: as at Envoy."""

    async def whole(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotWhole as fault:
            return _unread(request, fault.status, str(fault))

    return whole


def _unread(request: Request, status: int, sentence: str) -> Response:
    problem = {"decision": "deny", "reason": "BODY_TRUNCATED", "detail": sentence, "retry": "never"}
    response = _response(request, Reply(status, {}, refusal(problem)))
    response.headers["connection"] = "close"  # what is left of the body is no next request
    return response


def _call(request: Request, scheme: str, host: str, port: int | None, body: bytes) -> HttpCall:
    """The request as the pipeline knows requests: addressed to us, and with no header but those that are read."""
    headers: dict[str, tuple[str, ...]] = {}
    for name in (*_READ, _TOKEN, _REQUEST_ID, *_READ_AS):
        values = tuple(request.headers.getlist(name))
        if values:
            headers[_READ_AS.get(name, name)] = values
    return HttpCall(
        request_id=headers.get(_REQUEST_ID, ("",))[0],
        method="POST",
        scheme=scheme,
        host=host,
        port=port,
        path=request.scope["path"],  # request.url is put together with what the caller says in Host
        query=request.scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        source=request.client.host if request.client is not None else "",
        tool_hint="",
        route="",
        listener=EVALUATION_LISTENER,
        principal="",
        over_tls=request.scope["scheme"] == "https",
        is_question=True,
    )


@asynccontextmanager
async def _departure(request: Request) -> AsyncIterator[asyncio.Event]:
    """An event that is set once the caller hangs up."""
    gone = asyncio.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watching.cancel()


def _wait(request: Request) -> float:
    """For how many seconds the caller would wait for a person: what it prefers (RFC 7240, `wait`)."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = preference.strip().partition("=")
        if name.lower() == "wait" and value.isdecimal() and value.isascii():
            return _LEAST_WAIT + min(float(value), _MOST_WAIT)
    return _LEAST_WAIT


def _response(request: Request, reply: Reply) -> Response:
    headers: Mapping[str, str] = {**reply.headers, "content-type": "application/json", "cache-control": "no-store"}
    if reply.status == 401:
        headers = {**headers, "www-authenticate": "Bearer"}
    response = Response(reply.body, reply.status, headers)
    for name in request.headers.getlist(_REQUEST_ID)[:1]:
        response.headers[_REQUEST_ID] = name
    return response
