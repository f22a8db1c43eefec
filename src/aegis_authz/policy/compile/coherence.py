"""Whether a policy document makes sense: against itself, and against the tools there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from aegis_authz.core.catalogue import BodyFormat
from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.comparisons import Fault, fits
from aegis_authz.policy.compile.conditions import DEFAULT_PARAMETER, ValueConditions, short_form
from aegis_authz.policy.compile.labels import label_faults
from aegis_authz.policy.compile.limit_faults import (
    asks_beyond,
    confirm_faults,
    document_limit_faults,
    rule_limit_faults,
)
from aegis_authz.policy.compile.rules import CompiledRule, CompiledRules
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.document import RuleSet
from aegis_authz.policy.language.operators import BARE_FORMS, SHORT_FORMS
from aegis_authz.policy.language.reserved import reserved
from aegis_authz.policy.language.rule import Redaction, Rule, ToolRule
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.language.validation import unknown_key
from aegis_authz.policy.source.places import as_written
from aegis_authz.policy.source.problems import Problem, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument

_PARTS = ("parameters", "context", "schema")
_CONDITION_KEYS = [
    *_PARTS,
    *BARE_FORMS,
    *(f"{word}_{DEFAULT_PARAMETER}" for word in SHORT_FORMS if word not in BARE_FORMS),
]
_LISTS = ("allowed_tools", "denied_tools", "waivers")


def condition_key_problems(source: SourceDocument) -> list[Problem]:
    """Members of `conditions` that are no condition,
    found in the raw document so that other errors do not hide them.
    """
    problems = []
    for location, key in _condition_keys(source.value):
        if reserved(key) is not None or (key not in _PARTS and short_form(key) is None):
            problems.append(source.problem((*location, key), unknown_key(key, _CONDITION_KEYS), on_key=True))
    return problems


def document_problems(
    source: SourceDocument,
    document: RuleSet,
    rules: CompiledRules,
    tools: Mapping[str, KnownTool],
    tool_names: Collection[str],
    detectors: Collection[str] | None,
) -> list[Problem]:
    """What is wrong with the rules and limits of a well-shaped document or template.

    `tools` are the readable tools; `tool_names` all names the catalogue gives, so that a tool with an
    error of its own is not called unknown as well. `detectors` are the known ones, None to accept any.
    """
    faults: list[Fault] = [
        ((*rule.at, *location), message)
        for rule in (*rules, *rules.waiving)
        for location, message in _rule_faults(rule, document, tools, tool_names, detectors)
    ]
    faults += document_limit_faults(document, tools, tool_names, detectors)
    return [source.problem(as_written(source.value, location), message) for location, message in faults]


def _condition_keys(value: Json) -> Iterator[tuple[Location, str]]:
    for listed in _LISTS:
        rules = value.get(listed) if isinstance(value, dict) else None
        for position, rule in enumerate(rules if isinstance(rules, list) else []):
            conditions = rule.get("conditions") if isinstance(rule, dict) else None
            for key in conditions if isinstance(conditions, dict) else {}:
                yield (listed, position, "conditions"), key


def _rule_faults(
    compiled: CompiledRule,
    document: RuleSet,
    tools: Mapping[str, KnownTool],
    tool_names: Collection[str],
    detectors: Collection[str] | None,
) -> Iterator[Fault]:
    rule = compiled.rule
    if rule.name not in tool_names:
        yield ("name",), f"no tool {quoted(rule.name)} in the catalogue{did_you_mean(rule.name, tool_names)}"
    yield from compiled.faults
    if isinstance(rule, ToolRule):
        yield from _approval_faults(rule, compiled.asks or asks_beyond(rule))
        yield from _detector_faults(rule, detectors)
    elif compiled.asks:
        kind = "rule that denies" if compiled.denies else "waiver"
        yield ("conditions",), f"a {kind} cannot ask for an approval; put this into allowed_tools"
    tool = tools.get(rule.name)
    if isinstance(rule, ToolRule):
        yield from rule_limit_faults(rule, document, tool)
    if tool is not None and tool.actions is not None:
        yield from _catalogue_faults(rule, tool, compiled.values)


def _approval_faults(rule: ToolRule, asks: bool) -> Iterator[Fault]:
    if rule.approval is not None and not rule.approval.always and not asks:
        yield (
            ("approval",),
            (
                "nothing in this rule asks for an approval; add approval_needed_over, approval_needed_in or "
                "else: approval_needed to a condition, on_exceed: approval_needed to a limit, or always: true"
            ),
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


def _catalogue_faults(rule: Rule, tool: KnownTool, values: Sequence[ValueConditions]) -> Iterator[Fault]:
    actions = tool.actions or {}
    names: list[str] = []
    for position, name in enumerate(rule.actions):
        if name == ANY:
            names = list(actions)
        elif name in actions:
            names.append(name)
        else:
            yield (
                ("actions", position),
                f"tool {quoted(rule.name)} has no action {quoted(name)}{did_you_mean(name, actions)}",
            )
    if isinstance(rule, ToolRule):
        yield from _redaction_faults(rule, tool, names)
        for message in confirm_faults(rule.approval, actions, names):
            yield ("approval", "confirm"), message
    for name in names:
        for value in values:
            if value.of != "parameters":
                continue
            if actions[name]:
                yield from _parameter_faults(value, name, actions[name])
            yield from label_faults(value, tool.tool, name)


def _redaction_faults(rule: ToolRule, tool: KnownTool, names: Collection[str]) -> Iterator[Fault]:
    """Pointers by which rules judge, and that lead to nothing in the body itself."""
    redaction = None if rule.sanitize is None else rule.sanitize.request
    graphs = [action for action in tool.tool.actions if BodyFormat.GRAPHQL in action.bodies and action.name in names]
    for position, pointer in enumerate(redaction.fields if redaction is not None and graphs else ()):
        if pointer.split("/")[1:2] == ["arguments"]:
            message = f"the body of {quoted(graphs[0].name)} has no {quoted(pointer)}: redact /variables, or /query"
            yield ("sanitize", "request", "fields", position), message
    batches = [action for action in graphs if action.operations.batch > 1]
    if redaction is not None and redaction.fields and batches:
        message = f"{quoted(batches[0].name)} takes batches, and no pointer leads into each: redact by detectors"
        yield ("sanitize", "request", "fields"), message


def _parameter_faults(value: ValueConditions, action: str, declared: Mapping[str, str]) -> Iterator[Fault]:
    others = [check.compiled["than"] for check in value.checks if "than" in check.compiled]
    for path in (value.path, *others):
        name = path[0] if isinstance(path, tuple | list) and path else None
        if isinstance(name, str) and name not in declared:
            yield (
                ("conditions",),
                f"action {quoted(action)} declares no parameter {quoted(name)}{did_you_mean(name, declared)}",
            )
    if len(value.path) == 1 and value.path[0] in declared and not fits(value.type, declared[value.path[0]]):
        yield (
            ("conditions",),
            (
                f"{quoted(value.name)} is a {declared[value.name]} in the catalogue, "
                f"but the conditions are about a {value.type}"
            ),
        )
    if len(value.path) > 1 and declared.get(value.path[0], "any") not in ("object", "any"):
        yield (
            ("conditions",),
            f"{quoted(value.path[0])} is a {declared[value.path[0]]} in the catalogue and has no members",
        )
