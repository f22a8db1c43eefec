"""The tools agents call in the demo: APIs of payments, health records, deployments, a SIEM and a language model.

Small but real HTTP servers. Each remembers the last body it received, so that the scenario can show what got through.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
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

EVENT = {"rule": "impossible travel", "user": "ada@customer.example", "callback": "+1 202 555 0143"}
"""The security event that a SIEM finds, whatever it is asked."""

ANSWER = ("Dear customer, ", "invoice 17 is due.")
"""What the language model says, in the parts in which it streams."""


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
                Route("/v1/payment_intents", self._intend, methods=["POST"]),
                Route("/records/{id}", self._record, methods=["GET", "PUT"]),
                Route("/deployments", self._deploy, methods=["POST"]),
                Route("/search", self._search, methods=["POST"]),
                Route("/isolations", self._isolate, methods=["POST"]),
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

    async def _intend(self, request: Request) -> Response:
        await self._remember(request)
        form = await request.form()
        amount = int(str(form["amount"]))
        return JSONResponse({"id": f"pi_{next(self._numbers)}", "object": "payment_intent", "amount": amount})

    async def _payment(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"id": request.path_params["id"], "status": "paid"})

    async def _record(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"id": request.path_params["id"], **PATIENT})

    async def _answer(self, request: Request) -> Response:
        await self._remember(request)
        if (await request.json()).get("stream") is True:
            return StreamingResponse(_events(), media_type="text/event-stream")
        return JSONResponse({"choices": [{"message": {"role": "assistant", "content": "".join(ANSWER)}}]})

    async def _search(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"events": [EVENT]})

    async def _isolate(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"isolation": f"iso_{next(self._numbers)}"}, 202)

    async def _deploy(self, request: Request) -> Response:
        await self._remember(request)
        return JSONResponse({"deployment": f"dep_{next(self._numbers)}", "state": "rolling out"}, 202)


def _events() -> Iterator[str]:
    """The answer as OpenAI's API streams it."""
    for part in ANSWER:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "small"}
        yield f"data: {json.dumps({**chunk, 'choices': [{'index': 0, 'delta': {'content': part}}]})}\n\n"
    yield "data: [DONE]\n\n"
