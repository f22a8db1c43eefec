"""Asks the mesh's evaluation endpoint about a call of a coding agent, and fails closed on every answer but an allow.

Source: docs/evaluation.md; OpenID AuthZEN Authorization API 1.0, Access Evaluation.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp

from aegis_authz.agent.hooks.dialects import ToolUse
from aegis_authz.agent.mesh import MeshCall, MeshCaller
from aegis_authz.agent.refusals import Unforwarded
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

_PATH = "/access/v1/evaluation"
_MOST_BYTES = 1_048_576
_MARGIN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class HookTarget:
    """What a client's own tools are: the functions of `tool` in the catalogue, called by `agent` (ORG/TENANT/AGENT).

    `evaluation` is the base URL of the endpoint; a call that a person must decide is held there for `wait` seconds.
    """

    evaluation: str
    agent: str
    tool: str
    wait: int


class HookJudge:
    """Says of each call whether it may be made."""

    def __init__(self, caller: MeshCaller, target: HookTarget) -> None:
        self._caller = caller
        self._target = target

    async def refusal(self, use: ToolUse) -> str | None:
        """Why the call may not be made, a sentence for the model; None if it may, now and once."""
        target = self._target
        question = {
            "subject": {"type": "agent", "id": target.agent},
            "resource": {"type": "tool", "id": target.tool},
            "action": {"name": use.name, "properties": dict(use.arguments)},
        }
        headers = [("content-type", "application/json")]
        if target.wait:
            headers.append(("prefer", f"wait={target.wait}"))
        body = json.dumps(question).encode("ascii")
        call = MeshCall("POST", f"{target.evaluation}{_PATH}", False, tuple(headers), body)
        try:
            async with asyncio.timeout(target.wait + _MARGIN_SECONDS), self._caller.call(call) as response:
                answer = strict_json.parse(await _content(response))
                return _refusal(use.name, response.status, answer)
        except Unforwarded as fault:
            return f"{use.name} was not called: {fault}"
        except (aiohttp.ClientError, TimeoutError, OSError, Refused, ValueError) as fault:
            reason = str(fault) or type(fault).__name__
            return f"{use.name} was not called: the mesh gave no answer that can be read ({reason})."


async def _content(response: aiohttp.ClientResponse) -> bytes:
    content = await response.content.read(_MOST_BYTES + 1)
    while len(content) <= _MOST_BYTES and (more := await response.content.read(_MOST_BYTES)):
        content += more
    if len(content) > _MOST_BYTES:
        raise ValueError("it is too large")
    return content


def _refusal(name: str, status: int, answer: Json) -> str | None:
    context = answer.get("context") if isinstance(answer, dict) else None
    if isinstance(answer, dict) and isinstance(context, dict):
        # an obligation would be for us to meet, and no hook can have a result redacted
        if status == 200 and answer.get("decision") is True and context.get("obligations", []) == []:
            return None
        detail = context.get("detail")
        if answer.get("decision") is False and isinstance(detail, str):
            return detail
    return f"{name} was not called: the mesh answered with status {status} and no decision."
