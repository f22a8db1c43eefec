"""Plays the cases with one client of the SDK, named by its argument; there is no model, and no framework."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from aegis_agent import Aegis
from aegis_agent.idempotency import new_key
from sdk.python.tests.players.script import Cannot, Case, outcomes, run

Send = Callable[[str, dict[str, Any]], Awaitable[Any]]
BLOCKING = "a thread that waits for a socket cannot be told to stop; a timeout of the client ends the wait"


def httpx(aegis: Aegis, stack: AsyncExitStack, case: Case, module: str) -> Send:
    """The synchronous client of httpx or httpx2, beside the event loop."""
    library = __import__(f"aegis_agent.{module}", fromlist=["Client"])
    client = stack.enter_context(library.Client(aegis, follow_redirects=True))

    def send(url: str, body: dict[str, Any]) -> Any:
        request = client.build_request("POST", url, json=body)
        for _ in range(case.tries):
            if (response := client.send(request)).status_code != 503:
                break
        return response.json()

    return partial(asyncio.to_thread, send)


def async_httpx(aegis: Aegis, stack: AsyncExitStack, case: Case, module: str) -> Send:
    """The asynchronous client of httpx or httpx2."""
    library = __import__(f"aegis_agent.{module}", fromlist=["AsyncClient"])
    client = library.AsyncClient(aegis, follow_redirects=True)
    stack.push_async_callback(client.aclose)

    async def send(url: str, body: dict[str, Any]) -> Any:
        request = client.build_request("POST", url, json=body)
        for _ in range(case.tries):
            if (response := await client.send(request)).status_code != 503:
                break
        return response.json()

    return send


def aiohttp(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Send:
    """The session of aiohttp. Who sends a request again by itself chooses its key."""
    from aegis_agent.aiohttp import ClientSession

    session = ClientSession(aegis)
    stack.push_async_callback(session.close)

    async def send(url: str, body: dict[str, Any]) -> Any:
        headers = {"Idempotency-Key": new_key()} if case.tries > 1 else {}
        for _ in range(case.tries):
            async with session.post(url, json=body, headers=headers) as response:
                answer = await response.json()
                if response.status != 503:
                    break
        return answer

    return send


def requests(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Send:
    """The session of requests, beside the event loop."""
    from requests import Request

    from aegis_agent.requests import Session

    session = stack.enter_context(Session(aegis))

    def send(url: str, body: dict[str, Any]) -> Any:
        request = session.prepare_request(Request("POST", url, json=body))
        for _ in range(case.tries):
            if (response := session.send(request, allow_redirects=True)).status_code != 503:
                break
        return response.json()

    return partial(asyncio.to_thread, send)


def model_sdk(aegis: Aegis, stack: AsyncExitStack, case: Case, module: str) -> Send:
    """The synchronous client of openai or anthropic; it tries again by itself."""
    library = __import__(f"aegis_agent.{module}", fromlist=["x"])
    make = getattr(library, f"{module}_client")
    client = stack.enter_context(make(aegis, api_key="none", base_url=case.base, max_retries=case.tries - 1))
    return lambda url, body: asyncio.to_thread(client.post, url.removeprefix(case.base), cast_to=object, body=body)


def async_model_sdk(aegis: Aegis, stack: AsyncExitStack, case: Case, module: str) -> Send:
    """The asynchronous client of openai or anthropic."""
    library = __import__(f"aegis_agent.{module}", fromlist=["x"])
    make = getattr(library, f"async_{module}_client")
    client = make(aegis, api_key="none", base_url=case.base, max_retries=case.tries - 1)
    stack.push_async_callback(client.close)
    return lambda url, body: client.post(url.removeprefix(case.base), cast_to=object, body=body)


CLIENTS: dict[str, Callable[[Aegis, AsyncExitStack, Case], Send]] = {
    "aiohttp": aiohttp,
    "httpx": partial(httpx, module="httpx"),
    "httpx async": partial(async_httpx, module="httpx"),
    "httpx2": partial(httpx, module="httpx2"),
    "httpx2 async": partial(async_httpx, module="httpx2"),
    "requests": requests,
    "openai": partial(model_sdk, module="openai"),
    "openai async": partial(async_model_sdk, module="openai"),
    "anthropic": partial(model_sdk, module="anthropic"),
    "anthropic async": partial(async_model_sdk, module="anthropic"),
}
ASYNCHRONOUS = {"aiohttp", "httpx async", "httpx2 async", "openai async", "anthropic async"}


async def play(name: str, case: Case) -> Any:
    """One case, with a client of its own."""
    if case.name == "cancellation" and name not in ASYNCHRONOUS:
        raise Cannot(BLOCKING)
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment, on_pending=case.tell_held))
        send = CLIENTS[name](aegis, stack, case)
        return await outcomes(case, lambda call: send(case.base + call["path"], call["json"]))


if __name__ == "__main__":
    run(partial(play, sys.argv[1]))
