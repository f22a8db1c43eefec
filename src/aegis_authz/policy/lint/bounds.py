"""Lints of limits: approvals that can never be asked for, and limits that a call evades."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.policy.compile.comparisons import Check
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.operators import OPERATORS, UPPER, Direction
from aegis_authz.policy.language.values import ParameterRule, Size
from aegis_authz.policy.lint.clashes import is_number, limits_of, passing
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground, LintedRule
from aegis_authz.policy.source.reader import Location


def bound_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of rules that allow; what denies needs no limit."""
    for rule in ground.rules():
        if rule.denying:
            continue
        for value in rule.values:
            yield from _approvals(rule, value)
            yield from _optional(rule, value)
        for at, rules in rule.parameter_rules():
            yield from _on_empty(rule, at, rules)


def _approvals(rule: LintedRule, value: ValueConditions) -> Iterator[Finding]:
    for check in value.checks:
        if check.otherwise == "approval_needed" and "than" not in check.compiled:
            verdict = _never_asked(check, value)
            if verdict is not None:
                code, why = verdict
                yield finding_of(
                    code, rule.problem(("conditions", *(check.at or ())), f"never asks for an approval: {why}")
                )


def _never_asked(ask: Check, value: ValueConditions) -> tuple[str, str] | None:
    """The code and the reason where everything that is allowed meets the check that would ask."""
    operator, limit = OPERATORS[ask.condition], ask.limit
    denying = [check for check in value.checks if check.otherwise == "deny"]
    if operator.asks_approval and isinstance(limit, list):
        return None if passing(limit, denying) else ("approval-never", "none of these values is allowed")
    if not is_number(limit):
        return None
    low, high = limits_of(denying)
    is_upper, is_lower = operator.direction is Direction.UPPER, operator.direction is Direction.LOWER
    if high is not None and is_upper and operator.reaches and high.value <= limit:
        most = f"{value.label} is {'at most' if high.included else 'less than'} {high.value}"
        return ("approval-never" if high.value == limit else "approval-above-maximum"), most
    below = high is not None and (high.value < limit or (high.value == limit and not high.included))
    above = low is not None and (low.value > limit or (low.value == limit and (operator.reaches or not low.included)))
    if (is_upper and not operator.reaches and below) or (is_lower and above):
        return "approval-never", f"{value.label} is {operator.phrase.format(limit=limit)} in any case"
    return None


def _optional(rule: LintedRule, value: ValueConditions) -> Iterator[Finding]:
    bounded = next((check.condition for check in value.checks if check.condition in UPPER), None)
    if not value.optional or value.forbidden or bounded is None:
        return
    for at, rules in rule.parameter_rules():
        if at[-2:] == (value.of, value.name):
            position = next((place for place, parameter_rule in enumerate(rules) if parameter_rule.optional), 0)
            message = f"a call without {value.label} passes, although it has a limit ({bounded})"
            yield finding_of("optional-bound", rule.problem((*at, position, "optional"), message))


def _on_empty(rule: LintedRule, at: Location, rules: tuple[ParameterRule, ...]) -> Iterator[Finding]:
    if any(_refuses_empty(parameter_rule) for parameter_rule in rules):
        return
    for position, parameter_rule in enumerate(rules):
        if parameter_rule.every is not None:
            message = "an empty list meets this, too; add count: {min: 1} where that is not meant"
            yield finding_of("every-on-empty", rule.problem((*at, position, "every"), message))


def _refuses_empty(rule: ParameterRule) -> bool:
    schema = rule.json_schema or {}
    least = schema.get("minItems", 0)
    return rule.any_element is not None or _at_least_one(rule.count) or (isinstance(least, int) and least > 0)


def _at_least_one(size: Size | None) -> bool:
    return size is not None and ((size.min or 0) > 0 or (size.equals or 0) > 0)
