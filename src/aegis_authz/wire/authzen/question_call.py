"""The call that a question is about, held against the catalogue as a call through Envoy is."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.catalogue import JSON_ALONE, Action, BodyFormat, Catalogue, Tool
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.authzen.question import Question
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.parameters import is_left_out, refuse_undeclared, typed
from aegis_authz.wire.mcp.message import judged_arguments
from aegis_authz.wire.spellings import spellings

_PLAIN = frozenset((BodyFormat.JSON, BodyFormat.FORM))
_ARGUMENTS = "/action/properties/"


def call_of_question(question: Question, http: HttpCall, catalogue: Catalogue) -> ToolCall:
    """The call, with no more in it than the catalogue declares.

    Its digest is of a domain of its own: what is approved here is not approved for a request through Envoy, which holds
    more than the arguments. Raises Refused(ACTION_UNKNOWN) for a tool or an action that the catalogue does not have,
    or that nobody can judge by arguments, and Refused with PARAMETER_UNKNOWN, PARAMETER_TYPE or MALFORMED_CALL as for
    a call through Envoy.
    """
    tool = catalogue.by_name.get(question.tool)
    if tool is None or tool.is_opaque:
        problem = f"No tool {quoted(question.tool)} can be called here."
        detail = f"no tool {question.tool[:60]!r} of the catalogue is judged by arguments"
        raise Refused(Reason.ACTION_UNKNOWN, detail, Fault("body", "/resource/id", problem))
    besides: Mapping[str, Json] = {}
    if tool.is_mcp:
        declared, parameters = judged_arguments(tool, question.action, question.arguments)
        kind, method = CallKind.MCP_TOOL, ""
    else:
        action = _action(tool, question.action)
        kind, method = CallKind.ACTION, action.method
        declared, parameters, besides = _arguments(action, question.arguments)
    return ToolCall(
        kind=kind,
        tool=tool.name,
        action=question.action,
        parameters=parameters,
        declared=declared,
        host=tool.host,
        port=tool.port,
        method=method,
        path="",
        source=http.source,
        rpc=NO_RPC,
        digest=digest_of(
            {
                "question": "evaluation",
                "tool": tool.name,
                "action": question.action,
                "arguments": dict(question.arguments),
            }
        ),
        content_type="",
        scheme=http.scheme,
        besides=besides,
        spellings=spellings(parameters),
        batch=0,
    )


def _action(tool: Tool, name: str) -> Action:
    action = next((action for action in tool.actions if action.name == name), None)
    if action is None:
        problem = f"The tool has no action {quoted(name)}."
        detail = f"no action of {tool.name} is {name[:60]!r}"
        raise Refused(Reason.ACTION_UNKNOWN, detail, Fault("body", "/action/name", problem))
    if BodyFormat.GRAPHQL in action.bodies or not _PLAIN & set(action.bodies):
        # what a document, a message or a file says is read from it, and never taken from whoever sends it
        problem = f"Calls of {quoted(name)} are judged by the body that they send, which is seen at the proxy alone."
        detail = f"{name} of {tool.name} is judged by a body"
        raise Refused(Reason.ACTION_UNKNOWN, detail, Fault("body", "/action/name", problem))
    return action


def _arguments(
    action: Action, arguments: Mapping[str, Json]
) -> tuple[tuple[str, ...], Mapping[str, Json], Mapping[str, Json]]:
    """The declared names, the arguments that are judged, and what passes unjudged where the action lets others pass."""
    declared = tuple(parameter.name for parameter in action.parameters)
    if not declared:
        if action.bodies != JSON_ALONE and not action.others:
            refuse_undeclared(arguments, (), False, "body", _ARGUMENTS)
        return (), arguments, {}
    refuse_undeclared(arguments, declared, action.others, "body", _ARGUMENTS)
    judged: dict[str, Json] = {}
    for parameter in action.parameters:
        if parameter.name in arguments and not is_left_out(parameter, arguments[parameter.name]):
            judged[parameter.name] = typed(parameter, arguments[parameter.name])
    return declared, judged, {name: value for name, value in arguments.items() if name not in declared}
