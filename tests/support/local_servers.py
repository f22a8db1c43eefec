"""Servers of this process that speak as the providers of channels document it, and refuse what they would refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve every path on loopback; gives the URL without a slash at its end."""
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class SlackServer:
    """The Web API of Slack, as far as docs.slack.dev says of chat.postMessage, chat.update and response_url.

    `failing` answers the next requests otherwise: a status, or the name of an error.
    """

    token: str = "xoxb-test"
    posted: list[dict[str, Any]] = field(default_factory=list)
    updated: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    failing: list[int | str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    released: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, and tell who waits for news."""
        answer = await self._answer(request)
        async with self.news:
            self.news.notify_all()
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        content = json.loads(await request.read())
        self.begun.set()
        if self.released is not None:
            await self.released.wait()
        if request.path.startswith("/actions/"):
            assert set(content) <= {"response_type", "replace_original", "text"}
            self.replies.append(content)
            return web.Response(text="ok")
        if self.failing:
            failure = self.failing.pop(0)
            if isinstance(failure, int):
                return web.Response(status=failure, headers={"retry-after": "1"} if failure == 429 else {})
            return web.json_response({"ok": False, "error": failure})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if not request.headers["content-type"].startswith("application/json"):
            return web.json_response({"ok": False, "error": "invalid_post_type"})
        trouble = _block_trouble(content.get("blocks"))
        if trouble:
            return web.json_response(
                {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [trouble]}}
            )
        if request.path == "/api/chat.postMessage":
            self.posted.append(content)
            return web.json_response({"ok": True, "channel": "C024BE91L", "ts": f"1503435956.{len(self.posted):06d}"})
        if request.path == "/api/chat.update":
            if not any(f"1503435956.{number:06d}" == content["ts"] for number in range(1, len(self.posted) + 1)):
                return web.json_response({"ok": False, "error": "message_not_found"})
            self.updated.append(content)
            return web.json_response({"ok": True, "channel": content["channel"], "ts": content["ts"], "text": ""})
        return web.json_response({"ok": False, "error": "unknown_method"})


_ELEMENTS = {"button": {"action_id", "text", "style", "value", "confirm", "url", "type"}}
_BLOCKS: dict[str, set[str]] = {
    "section": {"type", "text", "block_id"},
    "context": {"type", "elements", "block_id"},
    "rich_text": {"type", "elements", "block_id"},
    "input": {"type", "element", "label", "optional", "block_id", "hint", "dispatch_action"},
    "actions": {"type", "elements", "block_id"},
}


def _block_trouble(blocks: Any) -> str:
    """What Slack would refuse of the blocks of a message, "" for nothing."""
    if not isinstance(blocks, list) or not 0 < len(blocks) <= 50:
        return "1 to 50 blocks"
    for block in blocks:
        allowed = _BLOCKS.get(block.get("type"))
        if allowed is None or not set(block) <= allowed:
            return f"unknown block or member: {block}"
        if block["type"] == "section" and not _is_plain(block["text"], 3000):
            return "text of a section"
        if block["type"] == "actions":
            for element in block["elements"]:
                if set(element) - _ELEMENTS["button"] or not _is_plain(element["text"], 75):
                    return "button"
                if len(element.get("value", "")) > 2000 or len(element["action_id"]) > 255:
                    return "value of a button"
                dialog = element.get("confirm")
                sizes = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
                if dialog and not all(_is_plain(dialog[name], most) for name, most in sizes.items()):
                    return "confirmation dialog"
        if block["type"] == "input" and not _is_plain(block["label"], 2000):
            return "label"
    return ""


def _is_plain(text: Any, most: int) -> bool:
    return text.get("type") == "plain_text" and 0 < len(text.get("text", "")) <= most


@dataclass
class SmtpServer:
    """A mail server that speaks RFC 5321 as far as handing in goes. `refusing` answers RCPT with that code."""

    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusing: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""

        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        await say("220 mail.test ESMTP")
        while line := await reader.readline():
            verb = line.decode("ascii").strip()
            match verb.split(" ")[0].split(":")[0].upper():
                case "EHLO":
                    await say("250-mail.test")
                    await say("250 8BITMIME")
                case "RCPT" if self.refusing:
                    await say(f"{self.refusing} no")
                case "RCPT":
                    self.recipients.append(verb.partition(":")[2].strip("<>"))
                    await say("250 ok")
                case "DATA":
                    await say("354 go on")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append(content[:-3].replace(b"\r\n..", b"\r\n."))
                    await say("250 ok")
                case "QUIT":
                    await say("221 bye")
                    break
                case _:
                    await say("250 ok")
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def mail_server(server: SmtpServer) -> AsyncIterator[int]:
    """Serve mail on loopback; gives the port."""
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
