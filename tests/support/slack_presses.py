"""Presses of the buttons of a message in Slack, as docs.slack.dev documents what Slack sends for them."""

from __future__ import annotations

import asyncio
import hmac
import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from aiohttp import web

from tests.support.local_servers import SlackServer, serving


def button_value(blocks: Sequence[Mapping[str, Any]], action: str) -> str:
    """What the button of that action carries."""
    elements = next(block for block in blocks if block["type"] == "actions")["elements"]
    (button,) = [element for element in elements if element["action_id"] == action]
    return str(button["value"])


def interaction(user: str, action: str, value: str, response_url: str, reason: str = "") -> bytes:
    """The body that Slack posts when that user presses that button."""
    content = {
        "type": "block_actions",
        "user": {"id": user},
        "actions": [{"type": "button", "action_id": action, "value": value}],
        "state": {"values": {"aegis_reason_block": {"aegis_reason": {"type": "plain_text_input", "value": reason}}}},
        "response_url": response_url,
    }
    return urlencode({"payload": json.dumps(content)}).encode()


def signed_headers(body: bytes, secret: bytes, ago: float = 0) -> dict[str, str]:
    """The headers of that body, signed so many seconds ago (v0)."""
    timestamp = str(int(time.time() - ago))
    mac = hmac.new(secret, f"v0:{timestamp}:".encode() + body, sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={mac}",
    }


@dataclass
class AttendedSlack(SlackServer):
    """A Slack whose user `user` presses the button `action` of each message, as soon as it is there.

    Presses go to the control plane of the mesh in `state`, signed with `secret`. `settled` is set by the first message
    that is changed, and `answers` are those to the presses.
    """

    user: str = ""
    action: str = ""
    secret: bytes = b""
    state: Path = Path()
    url: str = ""
    answers: list[int] = field(default_factory=list)
    settled: threading.Event = field(default_factory=threading.Event)
    presses: set[asyncio.Task[None]] = field(default_factory=set)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        before = len(self.posted)
        answer = await super()._answer(request)
        if len(self.posted) > before:
            press = asyncio.create_task(self._press(self.posted[-1]["blocks"]))
            self.presses.add(press)
        if self.updated:
            self.settled.set()
        return answer

    async def _press(self, blocks: Sequence[Mapping[str, Any]]) -> None:
        control = json.loads((self.state / "mesh.json").read_text("utf-8"))["control"]
        value = button_value(blocks, self.action)
        body = interaction(self.user, self.action, value, f"{self.url}/actions/T1/1/x")
        async with httpx.AsyncClient(base_url=control, timeout=30) as client:
            path, headers = "/v1/channels/slack/interactions", signed_headers(body, self.secret)
            self.answers.append((await client.post(path, content=body, headers=headers)).status_code)


@contextmanager
def slack_beside(slack: AttendedSlack) -> Iterator[AttendedSlack]:
    """Serve it in a thread of its own, for a test that waits for programs; it knows its URL by then."""
    ready: queue.Queue[asyncio.Event] = queue.Queue()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        end = asyncio.Event()
        async with serving(slack.handle) as url:
            slack.url = url
            loops.append(asyncio.get_running_loop())
            ready.put(end)
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    end = ready.get(timeout=30)
    try:
        yield slack
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join(30)
