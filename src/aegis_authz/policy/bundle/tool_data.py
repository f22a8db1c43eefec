"""The catalogue as plain JSON inside a bundle, and back, strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aegis_authz.core.catalogue import (
    FUNCTION,
    ONE_OPERATION,
    Action,
    BodyFormat,
    McpTool,
    OperationTerms,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import integer, items, mapping, members, text
from aegis_authz.encoding.pointer import is_pointer
from aegis_authz.policy.bundle.interface_data import interface_from_data, interface_to_data

_TOOL = {
    "name",
    "host",
    "port",
    "upstream",
    "mcp_endpoint",
    "region",
    "actions",
    "mcp_tools",
    "websocket",
    "decode",
    "interface",
}
_YOUNGER_OF_TOOL: Mapping[str, Json] = {"websocket": False, "decode": False, "interface": None}
_ACTION = {"name", "method", "template", "parameters", "others", "bodies", "operations"}
_YOUNGER_OF_ACTION: Mapping[str, Json] = {"operations": None}
"""What a bundle does not say that was made before it could be said: it asks for nothing of the kind."""


def tools_to_data(tools: Sequence[Tool]) -> list[Json]:
    """The tools as JSON values, in order of name."""
    return [_tool_to_data(tool) for tool in sorted(tools, key=lambda tool: tool.name)]


def tools_from_data(data: Json) -> tuple[Tool, ...]:
    """Read what `tools_to_data` wrote, or wrote before it knew all of this. Raises ValueError for anything else."""
    return tuple(_tool(item) for item in items(data, "tools"))


def _tool_to_data(tool: Tool) -> Json:
    return {
        "name": tool.name,
        "host": tool.host,
        "port": tool.port,
        "upstream": tool.upstream,
        "mcp_endpoint": tool.mcp_endpoint,
        "region": tool.region,
        "websocket": tool.websocket,
        "decode": tool.decode,
        "mcp_tools": None
        if tool.mcp_tools is None
        else {
            name: {"parameters": _parameters_to_data(mcp_tool.parameters), "others": mcp_tool.others}
            for name, mcp_tool in tool.mcp_tools.items()
        },
        "actions": [_action_to_data(action) for action in sorted(tool.actions, key=lambda action: action.name)],
        # a tool without one is what it was before there were any: its approvals go on
        **({} if tool.interface == NO_INTERFACE else {"interface": interface_to_data(tool.interface)}),
    }


def _action_to_data(action: Action) -> Json:
    return {
        "name": action.name,
        "method": action.method,
        "template": list(action.template),
        "parameters": _parameters_to_data(action.parameters),
        "others": action.others,
        "bodies": [body.value for body in action.bodies],
        # said where it is something: an authorizer that does not know of it reads all the others
        **({} if action.operations == ONE_OPERATION else {"operations": _operations_to_data(action.operations)}),
    }


def _operations_to_data(operations: OperationTerms) -> Json:
    return {"batch": operations.batch, "persisted": dict(operations.persisted), "texts": operations.texts}


def _parameters_to_data(parameters: Sequence[Parameter]) -> list[Json]:
    return [
        {
            "name": parameter.name,
            "source": parameter.source.value,
            "at": parameter.at,
            "type": parameter.type.value,
            "optional": parameter.optional,
            "items": None if parameter.items is None else parameter.items.value,
        }
        for parameter in sorted(parameters, key=lambda parameter: parameter.name)
    ]


def _tool(data: Json) -> Tool:
    item = members(_filled_up(data, _YOUNGER_OF_TOOL), _TOOL, "a tool")
    port = item["port"]
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
        raise ValueError("a tool's port is not a port")
    upstream = text(item["upstream"], "a tool's upstream")
    return Tool(
        name=_filled(item["name"], "a tool's name"),
        host=text(item["host"], "a tool's host") if upstream == FUNCTION else _filled(item["host"], "a tool's host"),
        port=port,
        upstream=upstream,
        actions=tuple(_action(action) for action in items(item["actions"], "a tool's actions")),
        mcp_endpoint=text(item["mcp_endpoint"], "a tool's mcp_endpoint"),
        region=text(item["region"], "a tool's region"),
        mcp_tools=_mcp_tools(item["mcp_tools"]),
        websocket=_truth(item["websocket"], "websocket"),
        decode=_truth(item["decode"], "decode"),
        interface=NO_INTERFACE if item["interface"] is None else interface_from_data(item["interface"]),
    )


def _mcp_tools(data: Json) -> Mapping[str, McpTool] | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ValueError("an MCP server's tools are not an object")  # noqa: TRY004  # one error for every surprise
    return MappingProxyType({name: _mcp_tool(mcp_tool) for name, mcp_tool in data.items()})


def _mcp_tool(data: Json) -> McpTool:
    item = members(data, {"parameters", "others"}, "a tool of an MCP server")
    return McpTool(_parameters(item["parameters"]), _truth(item["others"], "others"))


def _action(data: Json) -> Action:
    item = members(_filled_up(data, _YOUNGER_OF_ACTION), _ACTION, "an action")
    bodies = tuple(BodyFormat(text(body, "a format of a body")) for body in items(item["bodies"], "the bodies"))
    if not bodies:
        raise ValueError("an action takes no body at all")
    return Action(
        name=_filled(item["name"], "an action's name"),
        method=_filled(item["method"], "an action's method"),
        template=tuple(text(part, "a path segment") for part in items(item["template"], "a template")),
        parameters=_parameters(item["parameters"]),
        others=_truth(item["others"], "others"),
        bodies=bodies,
        operations=_operations(item["operations"]),
    )


def _operations(data: Json) -> OperationTerms:
    if data is None:
        return ONE_OPERATION
    item = members(data, {"batch", "persisted", "texts"}, "the operations of an action")
    persisted = mapping(item["persisted"], "the persisted documents")
    batch = integer(item["batch"], "the size of a batch")
    if batch < 1:
        raise ValueError("a batch holds no operation")
    documents = {name: _filled(document, "a persisted document") for name, document in persisted.items()}
    return OperationTerms(batch, MappingProxyType(documents), _truth(item["texts"], "texts"))


def _filled_up(data: Json, younger: Mapping[str, Json]) -> Json:
    return {**younger, **data} if isinstance(data, Mapping) else data


def _parameters(data: Json) -> tuple[Parameter, ...]:
    return tuple(_parameter(parameter) for parameter in items(data, "the parameters"))


def _truth(data: Json, label: str) -> bool:
    if not isinstance(data, bool):
        raise ValueError(f"{label} is neither true nor false")  # noqa: TRY004  # one error for every surprise
    return data


def _parameter(data: Json) -> Parameter:
    item = members(data, {"name", "source", "at", "type", "optional", "items"}, "a parameter")
    source, at = (
        ParameterSource(text(item["source"], "a parameter's source")),
        _filled(item["at"], "a parameter's place"),
    )
    if source is ParameterSource.BODY and not is_pointer(at):
        raise ValueError("a parameter's place in the body is not a JSON pointer")
    return Parameter(
        name=_filled(item["name"], "a parameter's name"),
        source=source,
        at=at,
        type=ParameterType(text(item["type"], "a parameter's type")),
        optional=_truth(item["optional"], "optional"),
        items=None if item["items"] is None else ParameterType(text(item["items"], "the type of a list's elements")),
    )


def _filled(data: Json, label: str) -> str:
    value = text(data, label)
    if not value:
        raise ValueError(f"{label} is empty")
    return value
