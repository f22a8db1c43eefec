"""For tests of agents of the Claude Agent SDK, without a model: stands for the program `claude` that the SDK starts.

`query(prompt=..., options=..., transport=ClaudeScript([[("mcp__bank__pay", {"amount": 1})]]))` speaks the control
protocol of claude-agent-sdk 0.2: hooks are asked, and the program's own MCP servers are called, as `claude` does it.
Other tools do nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

from claude_agent_sdk import Transport

Call = tuple[str, dict[str, Any]]
"""The name of a tool as Claude has it, and its input."""
_CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "claude-script", "version": "1"}}
_END = {"duration_ms": 0, "duration_api_ms": 0, "is_error": False, "num_turns": 1, "session_id": "script"}


class ClaudeScript(Transport):
    """Makes the calls of each turn side by side, one turn after another, and ends with a text."""

    def __init__(self, turns: Sequence[Sequence[Call]], end: str = "done") -> None:
        self._turns = turns
        self._end = end
        self._numbers = count(1)
        self._hooks: dict[str, list[dict[str, Any]]] = {}
        self._servers: set[str] = set()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """As of claude_agent_sdk."""
        self._work = asyncio.create_task(self._play())

    async def write(self, data: str) -> None:
        """As of claude_agent_sdk."""
        line = json.loads(data)
        if line["type"] == "control_response":
            self._answers.pop(line["response"]["request_id"]).set_result(line["response"])
        else:
            self._lines.put_nowait(line)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """As of claude_agent_sdk."""
        while (line := await self._out.get()) is not None:
            yield line
        if self._work is not None:
            await self._work  # what broke the script is raised to who reads

    async def close(self) -> None:
        """As of claude_agent_sdk."""
        if self._work is not None:
            self._work.cancel()

    async def end_input(self) -> None:
        """As of claude_agent_sdk: nothing more is asked than the script has."""

    def is_ready(self) -> bool:
        """As of claude_agent_sdk."""
        return self._work is not None

    async def _play(self) -> None:
        try:
            start = await self._lines.get()
            self._hooks = start["request"]["hooks"] or {}
            settings = {"hook_on_failure_supported": True}
            reply = {"subtype": "success", "request_id": start["request_id"], "response": settings}
            self._out.put_nowait({"type": "control_response", "response": reply})
            await self._lines.get()  # the prompt
            for turn in self._turns:
                uses = [
                    {"type": "tool_use", "id": f"toolu_{next(self._numbers)}", "name": n, "input": i} for n, i in turn
                ]
                self._say("assistant", uses)
                self._say("user", await asyncio.gather(*(self._result(use) for use in uses)))
            self._say("assistant", [{"type": "text", "text": self._end}])
            self._out.put_nowait({"type": "result", "subtype": "success", "result": self._end, **_END})
        finally:
            self._out.put_nowait(None)

    def _say(self, kind: str, content: list[dict[str, Any]]) -> None:
        self._out.put_nowait({"type": kind, "message": {"role": kind, "model": "script", "content": content}})

    async def _result(self, use: dict[str, Any]) -> dict[str, Any]:
        """What the model is shown of a call."""
        shown = {"type": "tool_result", "tool_use_id": use["id"]}
        reason = await self._blocked("PreToolUse", use)
        if reason:
            return {**shown, "content": reason, "is_error": True}
        result: dict[str, Any] = {"content": [{"type": "text", "text": f"{use['name']} did nothing"}]}
        if use["name"].startswith("mcp__"):
            _, server, name = use["name"].split("__", 2)
            if server not in self._servers:
                self._servers.add(server)
                await self._rpc(server, "initialize", _CLIENT)
            result = await self._rpc(server, "tools/call", {"name": name, "arguments": use["input"]})
        is_error = result.get("isError", False)
        await self._blocked("PostToolUseFailure" if is_error else "PostToolUse", use)
        return {**shown, "content": result["content"], "is_error": is_error}

    async def _blocked(self, event: str, use: dict[str, Any]) -> str:
        """Why a hook blocks the call, "" where none does."""
        asked = {
            "hook_event_name": event,
            "tool_name": use["name"],
            "tool_input": use["input"],
            "tool_use_id": use["id"],
        }
        for matcher in self._hooks.get(event, []):
            for callback in matcher["hookCallbackIds"]:
                answer = await self._ask(
                    {"subtype": "hook_callback", "callback_id": callback, "tool_use_id": use["id"], "input": asked}
                )
                if answer["subtype"] == "error" and matcher.get("onFailure") == "block":
                    return f"A hook failed: {answer['error']}"
                decision = (answer.get("response") or {}).get("hookSpecificOutput", {})
                if decision.get("permissionDecision") == "deny":
                    return str(decision["permissionDecisionReason"])
        return ""

    async def _rpc(self, server: str, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": parameters}
        answer = await self._ask({"subtype": "mcp_message", "server_name": server, "message": message})
        result: dict[str, Any] = answer["response"]["mcp_response"]["result"]
        return result

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        number = f"request_{next(self._numbers)}"
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        self._out.put_nowait({"type": "control_request", "request_id": number, "request": request})
        return await answer
