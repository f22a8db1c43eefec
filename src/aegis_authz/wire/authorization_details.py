"""A grant as it is asked for: `authorization_details` (RFC 9396 section 2) of two types.

`aegis_tool` names a tool by `identifier`, its `actions`, and the `values` that parameters of all of them may have;
`aegis_task` says for the whole grant how many `calls`, until when (`expires_at` or `expires_in`, in seconds), and how
often it may be narrowed again (`depth`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson

from aegis_authz.core.grant import MOST_NARROWINGS, GrantRequest, Narrowing, Tools
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.wire.grant import MOST_CALLS, read_tools, tools_to_data

TOOL, TASK = "aegis_tool", "aegis_task"
_MOST_BYTES = 16_384
_MOST_PARTS = 64
_TOOL_NEEDS = {"type", "identifier", "actions"}
_TASK_MEMBERS = {"type", "calls", "expires_at", "expires_in", "depth"}


def read_details(text: str, now: Epoch) -> GrantRequest:
    """What is asked for. Raises ValueError, in words about the text, for anything that is not as above."""
    if len(text) > _MOST_BYTES:
        raise ValueError("more than 16 KiB")
    try:
        parts = strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except Refused as refusal:
        raise ValueError(f"not JSON: {refusal.detail}") from None
    if not isinstance(parts, list) or not 0 < len(parts) <= _MOST_PARTS:
        raise ValueError("not a list of objects")
    tools: dict[str, dict[str, Json]] = {}
    task: Mapping[str, Json] = {}
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, Mapping) and kind == TOOL:
            _add_tool(part, tools)
        elif isinstance(part, Mapping) and kind == TASK and not task:
            task = part
        else:
            raise ValueError(f"an object whose type is neither {TOOL} nor {TASK}, or two of {TASK}")
    return GrantRequest(
        tools=_checked(tools) if tools else None,
        calls=_whole(task, "calls", 1, MOST_CALLS),
        expires_at=_end(task, now),
        depth=_whole(task, "depth", 0, MOST_NARROWINGS - 1),
    )


def details_of(request: GrantRequest) -> list[Json]:
    """A request as `authorization_details`."""
    task: dict[str, Json] = {"type": TASK, "calls": request.calls, "depth": request.depth}
    if request.expires_at is not None:
        task["expires_at"] = int(request.expires_at)
    details = _tool_details(request.tools or {})
    task = {name: value for name, value in task.items() if value is not None}
    return [*details, task] if len(task) > 1 else details


def details_text(request: GrantRequest) -> str:
    """The same as the text of the parameter."""
    return orjson.dumps(details_of(request)).decode()


def granted_details(narrowing: Narrowing) -> list[Json]:
    """What was granted, for the answer (RFC 9396 section 7)."""
    return details_of(GrantRequest(narrowing.tools, narrowing.calls, narrowing.expires_at, narrowing.depth))


def _tool_details(tools: Tools) -> list[Json]:
    details: list[Json] = []
    for tool, actions in tools_to_data(tools).items():
        if isinstance(actions, Mapping):
            for action, values in actions.items():
                detail: dict[str, Json] = {"type": TOOL, "identifier": tool, "actions": [action]}
                details.append({**detail, "values": values} if values else detail)
    return details


def _add_tool(part: Mapping[str, Json], tools: dict[str, dict[str, Json]]) -> None:
    if not _TOOL_NEEDS <= part.keys() <= _TOOL_NEEDS | {"values"}:
        raise ValueError(f"an {TOOL} has other members than type, identifier, actions and values")
    tool, actions, values = part["identifier"], part["actions"], part.get("values", {})
    if not isinstance(tool, str) or not isinstance(actions, list) or not actions or not isinstance(values, Mapping):
        raise ValueError(f"an {TOOL} without a tool, a list of actions, or an object of values")
    granted = tools.setdefault(tool, {})
    for action in actions:
        if not isinstance(action, str) or action in granted:
            raise ValueError(f"an action of {tool} that is no text, or is listed twice")
        granted[action] = values


def _checked(tools: Mapping[str, Json]) -> Tools:
    try:
        return read_tools(tools)
    except Refused as refusal:
        raise ValueError(refusal.detail) from None


def _whole(task: Mapping[str, Json], name: str, least: int, most: int) -> int | None:
    if name not in task:
        return None
    value = task[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} is not a whole number from {least} to {most}")
    return value


def _end(task: Mapping[str, Json], now: Epoch) -> Epoch | None:
    if not task.keys() <= _TASK_MEMBERS or {"expires_at", "expires_in"} <= task.keys():
        raise ValueError(f"an {TASK} has other members than calls, depth, and expires_at or expires_in")
    seconds = task.get("expires_at", task.get("expires_in"))
    if {"expires_at", "expires_in"}.isdisjoint(task):
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 2**40:
        raise ValueError("the end is not a number of seconds")
    return Epoch(float(math.floor(seconds if "expires_at" in task else now + seconds)))
