"""The catalogue as plain JSON inside a bundle, and back, strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.catalogue import Action, Parameter, ParameterSource, ParameterType, Tool
from aegis_authz.core.json_value import Json


def tools_to_data(tools: Sequence[Tool]) -> list[Json]:
    """The tools as JSON values, in order of name."""
    return [
        {
            "name": tool.name,
            "host": tool.host,
            "port": tool.port,
            "upstream": tool.upstream,
            "mcp_path": tool.mcp_path,
            "region": tool.region,
            "actions": [_action_to_data(action) for action in sorted(tool.actions, key=lambda action: action.name)],
        }
        for tool in sorted(tools, key=lambda tool: tool.name)
    ]


def tools_from_data(data: Json) -> tuple[Tool, ...]:
    """Read what `tools_to_data` wrote. Raises ValueError for anything else."""
    return tuple(_tool(item) for item in listed(data, "tools"))


def members(data: Json, names: set[str], what: str) -> Mapping[str, Json]:
    """An object with exactly these members. Raises ValueError."""
    if not isinstance(data, Mapping) or data.keys() != names:
        raise ValueError(f"{what} is not an object of {', '.join(sorted(names))}")
    return data


def listed(data: Json, what: str) -> list[Json]:
    """A list. Raises ValueError."""
    if not isinstance(data, list):
        raise ValueError(f"{what} is not a list")  # noqa: TRY004  # one error for every surprise
    return data


def text(data: Json, what: str) -> str:
    """A text. Raises ValueError."""
    if not isinstance(data, str):
        raise ValueError(f"{what} is not a text")  # noqa: TRY004  # one error for every surprise
    return data


def _action_to_data(action: Action) -> Json:
    return {
        "name": action.name,
        "method": action.method,
        "template": list(action.template),
        "parameters": [
            {"name": one.name, "source": one.source.value, "at": one.at, "type": one.type.value}
            for one in sorted(action.parameters, key=lambda one: one.name)
        ],
    }


def _tool(data: Json) -> Tool:
    item = members(data, {"name", "host", "port", "upstream", "mcp_path", "region", "actions"}, "a tool")
    port = item["port"]
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
        raise ValueError("a tool's port is not a port")
    return Tool(
        name=_filled(item["name"], "a tool's name"),
        host=_filled(item["host"], "a tool's host"),
        port=port,
        upstream=text(item["upstream"], "a tool's upstream"),
        actions=tuple(_action(action) for action in listed(item["actions"], "a tool's actions")),
        mcp_path=text(item["mcp_path"], "a tool's mcp_path"),
        region=text(item["region"], "a tool's region"),
    )


def _action(data: Json) -> Action:
    item = members(data, {"name", "method", "template", "parameters"}, "an action")
    return Action(
        name=_filled(item["name"], "an action's name"),
        method=_filled(item["method"], "an action's method"),
        template=tuple(text(part, "a path segment") for part in listed(item["template"], "a template")),
        parameters=tuple(_parameter(one) for one in listed(item["parameters"], "an action's parameters")),
    )


def _parameter(data: Json) -> Parameter:
    item = members(data, {"name", "source", "at", "type"}, "a parameter")
    return Parameter(
        name=_filled(item["name"], "a parameter's name"),
        source=ParameterSource(text(item["source"], "a parameter's source")),
        at=_filled(item["at"], "a parameter's place"),
        type=ParameterType(text(item["type"], "a parameter's type")),
    )


def _filled(data: Json, what: str) -> str:
    value = text(data, what)
    if not value:
        raise ValueError(f"{what} is empty")
    return value
