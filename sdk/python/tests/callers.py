"""Every client the SDK has, behind one shape: what is held of one of them is held of all."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientResponse
from yarl import URL

from aegis_agent import Aegis, ApprovalNeeded
from aegis_agent.aiohttp import ClientSession
from aegis_agent.httpx import AsyncClient, Client
from aegis_agent.httpx2 import AsyncClient as AsyncClient2
from aegis_agent.httpx2 import Client as Client2
from aegis_agent.openai import async_openai_client, openai_client
from aegis_agent.requests import Session

Answer = dict[str, Any]
Send = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Caller:
    """Sends JSON by POST; the answers of a client are of its library, and `read` makes them alike."""

    def __init__(self, send: Send, read: Callable[[Any], Any], is_async: bool) -> None:
        self.send = send
        self.read = read
        self.is_async = is_async

    async def post(self, url: str, body: dict[str, Any]) -> Answer:
        return await self._read(await self.send(url, body))

    async def wait(self, held: ApprovalNeeded, timeout: float) -> Answer:
        """The answer to a held call, waited for as its client does."""
        if self.is_async:
            return await self._read(await held.wait_async(timeout))
        return await self._read(await asyncio.to_thread(held.wait, timeout))

    async def _read(self, answer: Any) -> Answer:
        content: Any = self.read(answer)
        return dict(await content if inspect.isawaitable(content) else content)


def _response(response: Any) -> Any:
    return response.json()


def _plain(answer: Any) -> Answer:
    return dict(answer)


@asynccontextmanager
async def _sync_http(client: Any) -> AsyncIterator[Caller]:
    # beside the event loop: it serves the tools
    yield Caller(lambda url, body: asyncio.to_thread(client.post, url, json=body), _response, False)
    await asyncio.to_thread(client.close)


@asynccontextmanager
async def _async_http(client: Any) -> AsyncIterator[Caller]:
    async with client:
        yield Caller(lambda url, body: client.post(url, json=body), _response, True)


@asynccontextmanager
async def _aiohttp(aegis: Aegis) -> AsyncIterator[Caller]:
    async with ClientSession(aegis) as client:
        read = partial(ClientResponse.json, content_type=None)
        yield Caller(lambda url, body: client.post(URL(url, encoded=True), json=body), read, True)


@asynccontextmanager
async def _openai(aegis: Aegis) -> AsyncIterator[Caller]:
    with openai_client(aegis, api_key="none", base_url="http://api.stripe.example") as client:
        yield Caller(
            lambda url, body: asyncio.to_thread(client.post, urlsplit(url).path, cast_to=object, body=body),
            _plain,
            False,
        )


@asynccontextmanager
async def _async_openai(aegis: Aegis) -> AsyncIterator[Caller]:
    async with async_openai_client(aegis, api_key="none", base_url="http://api.stripe.example") as client:
        yield Caller(lambda url, body: client.post(urlsplit(url).path, cast_to=object, body=body), _plain, True)


HTTP_CALLERS: Mapping[str, Any] = {
    "httpx": lambda aegis: _sync_http(Client(aegis, follow_redirects=True)),
    "httpx async": lambda aegis: _async_http(AsyncClient(aegis, follow_redirects=True)),
    "httpx2": lambda aegis: _sync_http(Client2(aegis, follow_redirects=True)),
    "httpx2 async": lambda aegis: _async_http(AsyncClient2(aegis, follow_redirects=True)),
    "aiohttp": _aiohttp,
    "requests": lambda aegis: _sync_http(Session(aegis)),
}
CALLERS: Mapping[str, Any] = {**HTTP_CALLERS, "openai": _openai, "openai async": _async_openai}
