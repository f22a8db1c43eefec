"""The tools agents call in the demo: APIs of payments, health records, deployments and a language model.

Small but real HTTP servers. Each remembers the last body it received, so that the scenario can show what got through.
"""

from __future__ import annotations

import itertools

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATIENT = {
    "patient": {
        "name": "Ada Example",
        "ssn": "078-05-1120",
        "date_of_birth": "1961-07-04",
        "notes": "allergic to penicillin",
    },
    "status": "active",
}
"""The record the health record API answers with."""


class DemoTools:
    """The state of the tools. `received` maps a path to the last request that reached it."""

    def __init__(self) -> None:
        self.received: dict[str, dict[str, object]] = {}
        self._numbers = itertools.count(1)

    def app(self) -> Starlette:
        """One ASGI app that serves them all; each is reached by its own host name through the mesh."""
        return Starlette(
            routes=[
                Route("/v1/payments", self._pay, methods=["POST"]),
                Route("/v1/payments/{id}", self._payment),
                Route("/records/{id}", self._record, methods=["GET", "PUT"]),
                Route("/deployments", self._deploy, methods=["POST"]),
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
            ]
        )

    async def _remember(self, request: Request) -> None:
        body = (await request.body()).decode("utf-8", "replace")
        self.received[request.url.path] = {"body": body, "headers": dict(request.headers)}

    async def _pay(self, request: Request) -> Response:
        await self._remember(request)
        order = await request.json()
        return JSONResponse({"id": f"pay_{next(self._numbers)}", "amount": order["amount"], "status": "paid"}, 201)

    async def _payment(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"id": request.path_params["id"], "status": "paid"})

    async def _record(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"id": request.path_params["id"], **PATIENT})

    async def _answer(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"choices": [{"message": {"role": "assistant", "content": "Hello."}}]})

    async def _deploy(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"deployment": f"dep_{next(self._numbers)}", "state": "rolling out"}, 202)
