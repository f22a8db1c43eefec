"""Good and forbidden calls, again and again, and what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from aegis_authz.demo.agent import Tokens
from tests.support.fail_closed.doors import PLAIN

_FORBIDDEN = b'{"amount":50000}'


class Load:
    """What came of good and of forbidden calls, "paid" or the reason of a refusal; the numbers of the payments that were
    made, and what had no answer.
    """

    def __init__(self, proxy: str, tokens: Tokens) -> None:
        self._proxy = proxy
        self._tokens = tokens
        self.good: list[str] = []
        self.forbidden: list[str] = []
        self.payments: list[int] = []
        self.unanswered: list[httpx.TransportError] = []

    @asynccontextmanager
    async def sent_by(self, callers: int) -> AsyncIterator[None]:
        """So many callers, each with its next call when the last was answered; all are answered when the block ends."""
        is_over = asyncio.Event()
        async with httpx.AsyncClient(proxy=self._proxy, trust_env=False, timeout=30) as client:
            calls = [asyncio.create_task(self._call(client, is_over)) for _ in range(callers)]
            try:
                yield
            finally:
                is_over.set()
                await asyncio.gather(*calls)

    async def _call(self, client: httpx.AsyncClient, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            for body, outcomes in ((PLAIN.body, self.good), (_FORBIDDEN, self.forbidden)):
                headers = {"content-type": "application/json", "x-aegis-token": self._tokens.mint(PLAIN.agent)}
                try:
                    reply = await client.request(PLAIN.method, PLAIN.url, headers=headers, content=body)
                except httpx.TransportError as fault:
                    self.unanswered.append(fault)
                    continue
                answer = reply.json()
                outcomes.append("paid" if reply.status_code == 201 else answer["reason"])
                if reply.status_code == 201:
                    self.payments.append(int(answer["id"].removeprefix("pay_")))
