"""The tool that the cases call: it pays, moves, fails and dawdles, and keeps each request that reached it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

OWNER = "219-09-9999"
"""Whose notes they are: a number that must not leave."""


class Ledger:
    """What reached the tool since the last `clear`: the bodies, and the Idempotency-Keys that came with them."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.arrival = asyncio.Event()
        """Set once there is a request to `/slow`."""
        self._end = asyncio.Event()

    def clear(self) -> None:
        """Begin anew."""
        self._end.set()
        self.bodies, self.keys, self.arrival, self._end = [], set(), asyncio.Event(), asyncio.Event()

    def app(self) -> Starlette:
        """The tool."""
        pay = [Route(path, self._pay, methods=["POST"]) for path in ("/payments", "/urgent", "/budgeted")]
        others = {"/moved": self._move, "/flaky": self._fail_once, "/slow": self._dawdle, "/notes": self._note}
        return Starlette(routes=pay + [Route(path, answer, methods=["POST"]) for path, answer in others.items()])

    async def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(await request.body())
        self.bodies.append(body)
        self.keys |= set(request.headers.getlist("idempotency-key"))
        return body

    async def _pay(self, request: Request) -> Response:
        return JSONResponse({"paid": (await self._body(request))["amount"]})

    async def _move(self, request: Request) -> Response:
        await self._body(request)
        return RedirectResponse("http://ledger.example/payments", 307)

    async def _fail_once(self, request: Request) -> Response:
        body = await self._body(request)
        if len(self.bodies) == 1:
            return JSONResponse({"fault": "not now"}, 503)
        return JSONResponse({"paid": body["amount"]})

    async def _dawdle(self, request: Request) -> Response:
        body, end = await self._body(request), self._end
        self.arrival.set()
        await end.wait()
        return JSONResponse({"paid": body["amount"]})

    async def _note(self, request: Request) -> Response:
        return JSONResponse({**await self._body(request), "owner": OWNER})
