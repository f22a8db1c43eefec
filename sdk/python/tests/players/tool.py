"""The one tool of the agents that players of frameworks play."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from aegis_agent import Aegis
from aegis_agent.httpx2 import AsyncClient, Client
from sdk.python.tests.players.script import Case


def sender(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Callable[..., Awaitable[dict[str, Any]]]:
    """The function `send`, which calls through the mesh as often as the case has it."""
    client = AsyncClient(aegis, follow_redirects=True)
    stack.push_async_callback(client.aclose)

    async def send(path: str, json: dict[str, Any]) -> dict[str, Any]:
        """Sends something."""
        request = client.build_request("POST", case.base + path, json=json)
        for _ in range(case.tries):
            if (response := await client.send(request)).status_code != 503:
                break
        return dict(response.json())

    return send


def blocking_sender(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Callable[..., dict[str, Any]]:
    """The same for frameworks that run their tools in threads."""
    client = stack.enter_context(Client(aegis, follow_redirects=True))

    def send(path: str, json: dict[str, Any]) -> dict[str, Any]:
        """Sends something."""
        request = client.build_request("POST", case.base + path, json=json)
        for _ in range(case.tries):
            if (response := client.send(request)).status_code != 503:
                break
        return dict(response.json())

    return send
