"""Where Slack tells that somebody pressed a button: open to everyone, and believed for its signature alone."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.approvals.pressing import SlackPresses, TooManyPresses
from aegis_authz.control.http import HttpProblem, open_router
from aegis_authz.notices.slack import NotFromSlack

_MOST_BYTES = 256 * 1024
"""Of a request: it holds the message with its call."""


def slack_routes(presses: SlackPresses | None) -> list[APIRouter]:
    """`/v1/channels/slack/interactions`; without an app of Slack there is no such thing."""
    everyone = open_router()

    @everyone.post("/v1/channels/slack/interactions", include_in_schema=False)
    async def take_slack_interaction(request: Request) -> Response:
        """Take a press of a button. It is answered at once, and decided after."""
        if presses is None:
            raise HttpProblem(404, "no app of Slack is set up here")
        body = await _body(request)
        names = ("x-slack-request-timestamp", "x-slack-signature")
        timestamp, signature = (_single(request, name) for name in names)
        try:
            presses.take(timestamp, signature, body)
        except NotFromSlack as refusal:
            raise HttpProblem(401, str(refusal)) from None
        except TooManyPresses as refusal:
            raise HttpProblem(503, str(refusal)) from None
        return Response(status_code=200)

    return [everyone]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HttpProblem(413, f"the body is larger than {_MOST_BYTES} bytes")
    return bytes(body)


def _single(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else ""
