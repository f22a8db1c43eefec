"""Slack's side of Socket Mode, as docs.slack.dev says it: opens connections by the token, and takes acknowledgements."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class SlackSocketServer:
    """`apps.connections.open` and the sockets that it leads to. A ticket is good for one connection."""

    token: str = "xapp-test"
    opened: int = 0
    connections: list[web.WebSocketResponse] = field(default_factory=list)
    acknowledged: dict[str, asyncio.Event] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    connected: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tickets: set[str] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or speak over one socket until it ends."""
        if request.path == "/api/apps.connections.open":
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return web.json_response({"ok": False, "error": "invalid_auth"})
            self.opened += 1
            ticket = f"ticket-{self.opened}"
            self._tickets.add(ticket)
            return web.json_response({"ok": True, "url": f"ws://{request.host}/link/?ticket={ticket}"})
        if request.query.get("ticket") not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(request.query["ticket"])
        return await self._speak(request)

    async def _speak(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hello = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}, "debug_info": {}}
        await socket.send_json(hello)
        async with self.connected:
            self.connections.append(socket)
            self.connected.notify_all()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._take(json.loads(message.data))
        return socket

    def _take(self, answer: dict[str, Any]) -> None:
        name = answer.get("envelope_id")
        if set(answer) - {"envelope_id", "payload"} or name not in self.acknowledged:
            self.strange.append(json.dumps(answer))
            return
        self.acknowledged[name].set()

    async def live(self, number: int) -> web.WebSocketResponse:
        """The connection of that number, from 1 on, once it is there."""
        async with self.connected:
            await self.connected.wait_for(lambda: len(self.connections) >= number)
        return self.connections[number - 1]

    async def send(self, socket: web.WebSocketResponse, name: str, payload: object, kind: str = "interactive") -> None:
        """Send an envelope; `acknowledged[name]` is set once it is."""
        self.acknowledged[name] = asyncio.Event()
        envelope = {"envelope_id": name, "type": kind, "payload": payload, "accepts_response_payload": False}
        await socket.send_json(envelope)
