"""A call to try first: one that some policy of a folder speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.core.catalogue import Action, BodyFormat, Parameter, ParameterSource, ParameterType, Tool
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.load import Loaded

_ANY = "*"
_VALUES: Mapping[ParameterType, Json] = {
    ParameterType.NUMBER: 1,
    ParameterType.INTEGER: 1,
    ParameterType.BOOLEAN: True,
    ParameterType.ARRAY: [],
    ParameterType.OBJECT: {},
}


@dataclass(frozen=True, slots=True)
class FirstCall:
    """A request of an agent; `body` is None where there is none. Whether it is allowed is policy's to say."""

    scope: Scope
    method: str
    url: str
    body: Json


def first_call(loaded: Loaded) -> FirstCall | None:
    """The first action that takes JSON and that a rule allows an agent with a name of its own; None for none."""
    return next(_calls(loaded), None)


def _calls(loaded: Loaded) -> Iterator[FirstCall]:
    tools = {tool.name: tool for tool in loaded.tools if not tool.is_mcp and not tool.is_function}
    for document in loaded.policies:
        if _ANY in document.agent:
            continue
        scope = Scope(_named(document.org, "org"), _named(document.tenant, "tenant"), document.agent)
        for tool, action in _allowed(document, tools):
            yield FirstCall(scope, action.method, f"http://{tool.authority}{_path(action)}", _body(action))


def _named(name: str, stand_in: str) -> str:
    """A name that a pattern matches."""
    return stand_in if name == _ANY else name.replace(_ANY, stand_in)


def _allowed(document: PolicyDocument, tools: Mapping[str, Tool]) -> Iterator[tuple[Tool, Action]]:
    rules = (rule for rule in document.allowed_tools if rule.name in tools)
    for rule in rules:
        for action in tools[rule.name].actions:
            if (_ANY in rule.actions or action.name in rule.actions) and BodyFormat.JSON in action.bodies:
                yield tools[rule.name], action


def _path(action: Action) -> str:
    return "/" + "/".join("1" if "{" in segment else segment for segment in action.template)


def _body(action: Action) -> Json:
    if action.method in ("GET", "HEAD", "DELETE"):
        return None
    body: dict[str, Json] = {}
    for parameter in action.parameters:
        if parameter.source is ParameterSource.BODY and not parameter.optional:
            _put(body, parameter)
    return body


def _put(body: dict[str, Json], parameter: Parameter) -> None:
    *parents, last = parameter.at.removeprefix("/").split("/")
    place = body
    for name in parents:
        child = place.setdefault(name, {})
        if not isinstance(child, dict):
            return
        place = child
    place[last] = _VALUES.get(parameter.type, "x")
