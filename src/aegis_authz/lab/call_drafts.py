"""A call to begin with, as tests write it: of an agent and an action that some policy speaks of, or of those named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.lab.calls import TriedCall
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import Loaded

_VALUES: Mapping[str, Json] = {"number": 1, "integer": 1, "boolean": True, "array": [], "object": {}}
"""What stands for a value of a JSON type; of any other, a text."""


def draft_of(loaded: Loaded, agent: str, tool: str, action: str) -> dict[str, Json]:
    """A call of that action with a value for each parameter that it must have; what is "" is of the first policy.

    Empty where no policy speaks of a call. It says nothing of how the call is decided.
    """
    first_agent, first_tool, first_action = next(_pairs(loaded, tool, action), ("", "", ""))
    names = (agent or first_agent, tool or first_tool, action or first_action)
    if not all(names):
        return {}
    return {
        "agent": names[0],
        "tool": names[1],
        "action": names[2],
        "parameters": _parameters(loaded, names[1], names[2]),
    }


def rule_calls(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """An agent, a tool and an action of each rule."""
    return _pairs(loaded, "", "")


def call_text(call: Mapping[str, Json]) -> str:
    """A call as people write it in tests."""
    text: str = yaml.safe_dump(dict(call), sort_keys=False, allow_unicode=True, width=100)
    return text


def written_call(call: TriedCall) -> dict[str, Json]:
    """What of a call says something: what is as it is by itself is left out."""
    members: dict[str, Json] = call.model_dump(mode="json", exclude_defaults=True)
    return members


def case_text(name: str, call: Mapping[str, Json], effect: str, reason: str) -> str:
    """The call and what was decided of it as a policy test."""
    expect: dict[str, Json] = {"effect": effect, "reason": reason}
    case: dict[str, Json] = {"name": name, "call": dict(call), "expect": expect}
    return call_text({"tests": [case]})


def agents_of(loaded: Loaded) -> list[str]:
    """The agents that policies name in full, and those that are registered, in order."""
    scopes = {document.scope for document in loaded.policies if ANY not in document.scope}
    return sorted(scopes | {str(scope) for scope, _ in loaded.identities.entries()})


def _pairs(loaded: Loaded, tool: str, action: str) -> Iterator[tuple[str, str, str]]:
    """An agent, a tool and an action of each rule that is about these, "" for any."""
    tools = {entry.name: entry for entry in loaded.tools}
    # what stands in no folder is of Aegis itself, and nobody's agent calls it first
    for policy in sorted(loaded.loaded_policies, key=lambda policy: policy.source.path.startswith("/")):
        for rule in policy.document.allowed_tools:
            if rule.name in tools and tool in ("", rule.name):
                listed = tools[rule.name].actions if ANY in rule.actions else ()
                names = [entry.name for entry in listed] or [name for name in rule.actions if name != ANY]
                yield from ((_agent(policy.document), rule.name, name) for name in names if action in ("", name))


def _agent(document: PolicyDocument) -> str:
    """An agent that the document covers."""
    names = (document.org, "org"), (document.tenant, "tenant"), (document.agent, "agent")
    return str(Scope(*(stand_in if name == ANY else name.replace(ANY, stand_in) for name, stand_in in names)))


def _parameters(loaded: Loaded, tool: str, action: str) -> dict[str, Json]:
    """A value for each parameter that the catalogue demands or a rule asks about; one of those that it lists."""
    entry = next((entry for entry in loaded.tools if entry.name == tool), None)
    parameters = () if entry is None else entry.parameters_of(action)
    values: dict[str, Json] = {
        parameter.name: _VALUES.get(parameter.type.value, "text") for parameter in parameters if not parameter.optional
    }
    listed = {parameter.name for parameter in parameters}
    for value in _conditions(loaded, tool, action):
        if value.name in values or not listed or value.name in listed:
            values[value.name] = _of_condition(value)
    return values


def _conditions(loaded: Loaded, tool: str, action: str) -> Iterator[ValueConditions]:
    """What rules that allow the action ask of parameters that must be there."""
    for policy in loaded.loaded_policies:
        for rule in policy.compiled.rules.allowing:
            if rule.rule.name == tool and not {action, ANY}.isdisjoint(rule.rule.actions):
                for value in rule.values:
                    is_plain = value.of == "parameters" and value.name and not value.name.startswith("/")
                    if is_plain and not value.optional and not value.forbidden:
                        yield value


def _of_condition(value: ValueConditions) -> Json:
    for check in value.checks:
        if check.condition == "in" and isinstance(check.limit, list) and check.limit:
            first: Json = check.limit[0]
            return first
    return _VALUES.get(value.type, "text")
