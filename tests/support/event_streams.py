"""Streams of events (server-sent events) of a control plane, as a page reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx

from tests.support.people import by


@asynccontextmanager
async def event_stream_of(url: str, name: str, path: str) -> AsyncIterator[AsyncIterator[str]]:
    """The events that a person gets, each whole."""
    async with (
        httpx.AsyncClient(base_url=url, headers=by(name), timeout=60, trust_env=False) as client,
        client.stream("GET", path) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(_whole(answer)) as events:
            yield events


async def _whole(answer: httpx.Response) -> AsyncIterator[str]:
    text = ""
    async for chunk in answer.aiter_text():
        text += chunk
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            if block.startswith("event: "):
                yield block
