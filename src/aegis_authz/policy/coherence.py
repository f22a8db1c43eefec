"""Whether a policy document makes sense: against itself, and against the tools there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from aegis_authz.core.catalogue import Action, Tool
from aegis_authz.core.json_value import Json
from aegis_authz.policy.checking import unknown_key
from aegis_authz.policy.conditions import ParameterConditions, fits, parameter_conditions, short_form
from aegis_authz.policy.document import PolicyDocument, Redaction, ToolRule
from aegis_authz.policy.problems import Problem, did_you_mean, quoted
from aegis_authz.policy.reserved import RESERVED
from aegis_authz.policy.source import Location, SourceDocument
from aegis_authz.policy.words import ANY

Fault = tuple[Location, str]
_CONDITION_KEYS = ["parameters", "approval_needed_over", "max_amount", "min_amount"]


def condition_key_problems(source: SourceDocument) -> list[Problem]:
    """Members of `conditions` that are no condition, found in the raw document so that other errors do not hide them."""
    problems = []
    for location, key in _condition_keys(source.value):
        if key in RESERVED or (key != "parameters" and short_form(key) is None):
            problems.append(source.problem((*location, key), unknown_key(key, _CONDITION_KEYS), on_key=True))
    return problems


def document_problems(
    source: SourceDocument,
    document: PolicyDocument,
    tools: Mapping[str, Tool],
    tool_names: Collection[str],
    detectors: Collection[str] | None,
) -> list[Problem]:
    """What is wrong with a well-shaped document.

    `tools` are the readable tools; `tool_names` all names the catalogue gives, so that a tool with an
    error of its own is not called unknown as well. `detectors` are the known ones, None to accept any.
    """
    faults: list[Fault] = []
    for position, rule in enumerate(document.allowed_tools):
        at: Location = ("allowed_tools", position)
        if rule.name not in tool_names:
            faults.append(
                ((*at, "name"), f"no tool {quoted(rule.name)} in the catalogue{did_you_mean(rule.name, tool_names)}")
            )
        found, own = parameter_conditions(rule.conditions)
        faults += [((*at, "conditions", *inner), message) for inner, message in own]
        faults += [((*at, *inner), message) for inner, message in _approval_faults(rule, found)]
        faults += [((*at, *inner), message) for inner, message in _detector_faults(rule, detectors)]
        tool = tools.get(rule.name)
        if tool is not None and not tool.is_mcp:
            faults += [((*at, *inner), message) for inner, message in _catalogue_faults(rule, tool, found)]
    return [source.problem(location, message) for location, message in faults]


def _condition_keys(value: Json) -> Iterator[tuple[Location, str]]:
    rules = value.get("allowed_tools") if isinstance(value, dict) else None
    for position, rule in enumerate(rules if isinstance(rules, list) else []):
        conditions = rule.get("conditions") if isinstance(rule, dict) else None
        for key in conditions if isinstance(conditions, dict) else {}:
            yield ("allowed_tools", position, "conditions"), key


def _approval_faults(rule: ToolRule, found: list[ParameterConditions]) -> Iterator[Fault]:
    asks = any(one.thresholds for one in found)
    if rule.approval is not None and not rule.approval.always and not asks:
        yield (
            ("approval",),
            "nothing in this rule asks for an approval; add approval_needed_over or approval_needed_in, or always: true",
        )


def _detector_faults(rule: ToolRule, detectors: Collection[str] | None) -> Iterator[Fault]:
    if detectors is None or rule.sanitize is None:
        return
    targets: tuple[tuple[str, Redaction | None], ...] = (
        ("request", rule.sanitize.request),
        ("response", rule.sanitize.response),
    )
    for target, redaction in targets:
        for position, name in enumerate(redaction.detectors if redaction else ()):
            if name not in detectors:
                yield (
                    ("sanitize", target, "detectors", position),
                    f"no detector {quoted(name)}{did_you_mean(name, detectors)}",
                )


def _catalogue_faults(rule: ToolRule, tool: Tool, found: list[ParameterConditions]) -> Iterator[Fault]:
    known = {action.name: action for action in tool.actions}
    chosen: list[Action] = []
    for position, name in enumerate(rule.actions):
        if name == ANY:
            chosen = list(tool.actions)
        elif name in known:
            chosen.append(known[name])
        else:
            yield (
                ("actions", position),
                f"tool {quoted(tool.name)} has no action {quoted(name)}{did_you_mean(name, known)}",
            )
    for action in chosen:
        for one in found:
            yield from _parameter_faults(one, action)


def _parameter_faults(one: ParameterConditions, action: Action) -> Iterator[Fault]:
    declared = {parameter.name: parameter.type.value for parameter in action.parameters}
    if not declared:
        return
    if one.name not in declared:
        yield (
            ("conditions",),
            f"action {quoted(action.name)} declares no parameter {quoted(one.name)}{did_you_mean(one.name, declared)}",
        )
    elif not fits(one.type, declared[one.name]):
        yield (
            ("conditions",),
            f"{quoted(one.name)} is a {declared[one.name]} in the catalogue, but the conditions are about a {one.type}",
        )
