"""An MCP server that speaks stdio, carried to HTTP (streamable HTTP) so that it can stand behind the mesh.

Clients that begin with `initialize` get a process of their own, as on stdio; stateless messages (2026-07-28) share
one. The ids of requests and progress tokens are exchanged for ids of ours on the way in: two clients may have the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from aegis_authz.agent.mcp.rpc import CANCELLED, PROGRESS, Message, error_line, read_message
from aegis_authz.core.json_value import Json

_LONGEST_LINE = 64 * 1024 * 1024
_MOST_UNHEARD = 100
_GRACE_SECONDS = 2.0


class ServerGone(Exception):
    """The process ended; the message says so to a client."""


@dataclass(slots=True)
class Exchange:
    """A request under way: what is said to its client on the way, and its answer as the last."""

    id: str | int
    progress_token: Json
    messages: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    """The answer comes last, and None after it."""


class StdioServer:
    """One process of the wrapped command."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._exchanges: dict[int, Exchange] = {}
        self._last_id = 0
        self.listener: asyncio.Queue[bytes | None] | None = None
        self._unheard: list[bytes] = []
        self._reading: asyncio.Task[None] | None = None

    @staticmethod
    async def start(words: Sequence[str], group: asyncio.TaskGroup) -> StdioServer:
        """Start the command. Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE)
        server = StdioServer(child)
        server._reading = group.create_task(server._read())
        return server

    @property
    def is_alive(self) -> bool:
        """Whether the process can still answer."""
        return self._child.returncode is None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is due, or somebody listens."""
        return bool(self._exchanges) or self.listener is not None

    async def request(self, message: Message) -> Exchange:
        """Give the process a request; returns what becomes of it. Raises ServerGone."""
        if message.id is None:
            raise ValueError("a request has an id")
        self._last_id += 1
        own = self._last_id
        exchange = Exchange(message.id, message.meta.get("progressToken"))
        self._exchanges[own] = exchange
        members = {**message.members, "id": own}
        if exchange.progress_token is not None:
            meta = {**message.meta, "progressToken": own}
            members["params"] = {**message.params, "_meta": meta}
        try:
            await self._write(members)
        except ServerGone:
            del self._exchanges[own]
            raise
        return exchange

    async def tell(self, message: Message) -> None:
        """Give the process a notification, or the answer to a request of its own. Raises ServerGone."""
        members = dict(message.members)
        if message.method == CANCELLED:
            cancelled = message.params.get("requestId")
            own = next((own for own, exchange in self._exchanges.items() if exchange.id == cancelled), None)
            if own is None:
                return  # it has its answer already
            members["params"] = {**message.params, "requestId": own}
        await self._write(members)

    def listen(self) -> asyncio.Queue[bytes | None]:
        """What the process says by itself from now on, and what nobody has heard yet."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for message in self._unheard:
            queue.put_nowait(message)
        self._unheard.clear()
        self.listener = queue
        return queue

    async def stop(self) -> None:
        """Close its input, as MCP ends a server over stdio; make sure of it after a moment."""
        stdin = self._child.stdin
        if stdin is not None:
            stdin.close()
        for end in (None, self._child.terminate, self._child.kill):
            if end is not None and self.is_alive:
                end()
            try:
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self._child.wait()
                    break
            except TimeoutError:
                continue
        if self._reading is not None:
            await self._reading

    async def _write(self, members: dict[str, Json]) -> None:
        stdin = self._child.stdin
        if stdin is None or not self.is_alive:
            raise ServerGone("the server's process has ended")
        try:
            stdin.write(json.dumps(members).encode("utf-8") + b"\n")
            await stdin.drain()
        except (ConnectionError, RuntimeError):
            raise ServerGone("the server's process has ended") from None

    async def _read(self) -> None:
        stdout = self._child.stdout
        if stdout is None:
            return
        try:
            while line := await stdout.readline():
                self._take(line)
        except ValueError:
            self._child.kill()  # a line without an end
        await self._child.wait()
        for exchange in self._exchanges.values():
            exchange.messages.put_nowait(error_line(exchange.id, "the server's process ended before it answered"))
            exchange.messages.put_nowait(None)
        self._exchanges.clear()
        if self.listener is not None:
            self.listener.put_nowait(None)

    def _take(self, line: bytes) -> None:
        try:
            message = read_message(line)
        except ValueError:
            return  # servers print all sorts of things
        if not message.method:
            self._answer(message)
        elif message.method == PROGRESS:
            self._progress(message)
        else:
            self._say(line.strip())

    def _answer(self, message: Message) -> None:
        exchange = self._exchanges.pop(message.id, None) if isinstance(message.id, int) else None
        if exchange is not None:
            exchange.messages.put_nowait(_text({**message.members, "id": exchange.id}))
            exchange.messages.put_nowait(None)

    def _progress(self, message: Message) -> None:
        token = message.params.get("progressToken")
        exchange = self._exchanges.get(token) if isinstance(token, int) else None
        if exchange is not None:
            params = {**message.params, "progressToken": exchange.progress_token}
            exchange.messages.put_nowait(_text({**message.members, "params": params}))

    def _say(self, line: bytes) -> None:
        """What is for nobody in particular: for the listener, else for a request under way, else it waits."""
        if self.listener is not None:
            self.listener.put_nowait(line)
        elif self._exchanges:
            next(reversed(self._exchanges.values())).messages.put_nowait(line)
        elif len(self._unheard) < _MOST_UNHEARD:
            self._unheard.append(line)


def _text(members: dict[str, Json]) -> bytes:
    return json.dumps(members).encode("utf-8")
