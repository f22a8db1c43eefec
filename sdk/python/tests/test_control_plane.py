"""What a control plane answers is read strictly, and where it sends us is not where we go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from aegis_agent import AegisUnavailable
from aegis_agent.control_plane import ControlPlane
from aegis_agent.enrolment import Enrolment
from aegis_agent.key import AgentKey
from tests.support.agent_mesh import new_key

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def control_plane(handler: Handler) -> AsyncIterator[ControlPlane]:
    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]  # a handler, as its own documentation has it
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield ControlPlane(Enrolment("a/b/c", Path(), f"{url}/v1/token", url, url, ""), AgentKey(new_key()), None)
    await runner.cleanup()


def answers(body: str, status: int = 200) -> Handler:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(text=body, status=status)

    return handler


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ("", 200, "no token that is bound"),
        ('{"access_token": "t", "token_type": "Bearer", "expires_in": 60}', 200, "no token that is bound"),
        ('{"access_token": "t", "token_type": "DPoP"}', 200, "how long the token lives"),
        ('{"access_token": "t", "token_type": "DPoP", "expires_in": true}', 200, "how long the token lives"),
        ('{"access_token": "t", "token_type": "DPoP", "expires_in": 1e9}', 200, "how long the token lives"),
        ('{"access_token": "t", "access_token": "t", "token_type": "DPoP", "expires_in": 60}', 200, "no token that is"),
        (
            '{"error": "invalid_client", "error_description": "the clock is off"}',
            401,
            "invalid_client: the clock is off",
        ),
        ("<html>", 502, "issued no token to a/b/c: status 502"),
        (" " * 70_000, 200, "no token that is bound"),
    ],
)
async def test_what_is_no_bound_token_is_none(body: str, status: int, sentence: str) -> None:
    async with control_plane(answers(body, status)) as control:
        with pytest.raises(AegisUnavailable, match=sentence):
            await asyncio.to_thread(control.obtain)


async def test_an_assertion_follows_no_redirect() -> None:
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"location": "/elsewhere"})

    async with control_plane(handler) as control:
        with pytest.raises(AegisUnavailable, match="status 307"):
            await asyncio.to_thread(control.obtain)
    assert asked == ["/v1/token"]


@pytest.mark.parametrize("name", ["", "../../v1/token", "apr_1/x", "a?b", "é"])
async def test_what_is_no_name_of_an_approval_is_not_asked_about(name: str) -> None:
    async with control_plane(answers('{"state": "approved", "detail": "x"}')) as control:
        assert (await asyncio.to_thread(control.standing, "apr_1")).state == "approved"
        with pytest.raises(AegisUnavailable, match="named no approval"):
            await asyncio.to_thread(control.standing, name)
