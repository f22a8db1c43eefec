"""Lints of what is wider than it should be: rules, approvals, agents nobody judges, documents nobody owns."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.policy.language.operators import OPERATORS, Direction, Holder
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.language.scope import covers
from aegis_authz.policy.language.types import ANY, ParameterReference
from aegis_authz.policy.language.values import Comparisons, ParameterRule
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground, LintedDocument, LintedRule

_OF_VALUES = [operator for operator in OPERATORS.values() if operator.holder is not Holder.TIME]
_NEGATIVE = [operator for operator in _OF_VALUES if operator.direction is Direction.NEGATIVE]
_POSITIVE = [operator for operator in _OF_VALUES if operator.direction is Direction.MEMBERSHIP]


def breadth_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of each document, then of each rule."""
    enforced = {entry.document.scope for entry in ground.documents if entry.document.mode == "enforce"}
    wide = {scope for scope in enforced if ANY in scope}
    for entry in ground.documents:
        yield from _unowned(entry)
        yield from _only_observed(entry, enforced, wide)
        yield from _all_but_denied(entry)
        yield from (finding for rule in entry.allowing for finding in _everything(rule))
    for rule in ground.rules():
        if not rule.denying:
            yield from _any_approver(rule)
            yield from _nobody_told(rule)
            yield from _lists_of_forbidden(rule)


def _unowned(entry: LintedDocument) -> Iterator[Finding]:
    if entry.document.owner is None:
        message = "says no owner; name who answers for it with owner: ..."
        yield finding_of("missing-owner", entry.loaded.source.problem((), message))


def _only_observed(entry: LintedDocument, enforced: set[str], wide: set[str]) -> Iterator[Finding]:
    scope = entry.document.scope
    if entry.document.mode != "shadow" or scope in enforced or any(covers(wide_scope, scope) for wide_scope in wide):
        return
    message = (
        f"no enforcing document covers all of {scope}: calls of an agent that only shadow documents cover go through"
    )
    yield finding_of("shadow-only", entry.loaded.source.problem(("mode",), message, on_key=True))


def _everything(rule: LintedRule) -> Iterator[Finding]:
    """Told for each document of a template, because it is graver in one for all agents."""
    tool_rule = rule.rule
    if not isinstance(tool_rule, ToolRule) or ANY not in tool_rule.actions or rule.values:
        return
    if tool_rule.sanitize is None and tool_rule.approval is None:
        message = f"allows every action of {tool_rule.name}, those of later versions too, without any condition"
        all_agents = rule.document.agent == ANY
        yield finding_of("allow-everything", rule.problem((), message), "error" if all_agents else "warning")


def _any_approver(rule: LintedRule) -> Iterator[Finding]:
    tool_rule = rule.rule
    if not isinstance(tool_rule, ToolRule):
        return
    approval = tool_rule.approval or Approval()
    if (rule.compiled.asks or approval.always) and not approval.groups:
        message = "names no groups: any approver of the tenant may approve"
        yield finding_of(
            "wide-approval", rule.problem(("approval",) if rule.raw(("approval",)) is not None else (), message)
        )


def _nobody_told(rule: LintedRule) -> Iterator[Finding]:
    approval = rule.rule.approval if isinstance(rule.rule, ToolRule) else None
    if approval is not None and approval.unattended == "deny" and not approval.notify:
        message = f"tells nobody of a call that is denied unless somebody decides within {approval.hold}; add notify"
        yield finding_of("approvers-unreachable", rule.problem(("approval",), message))


def _all_but_denied(entry: LintedDocument) -> Iterator[Finding]:
    """A rule for every action, and rules that take some away again."""
    open_tools = {rule.rule.name for rule in entry.allowing if ANY in rule.rule.actions}
    for rule in entry.denying:
        if rule.rule.name in open_tools and ANY not in rule.rule.actions and not rule.values:
            message = "takes some actions away from a rule that allows all; list the allowed actions there instead"
            yield finding_of("not-in-denylist", rule.problem((), message))


def _lists_of_forbidden(rule: LintedRule) -> Iterator[Finding]:
    positive = {at: any(map(_says_what_is_allowed, rules)) for at, rules in rule.parameter_rules()}
    for at, comparisons in rule.comparisons():
        around = at[:-1] if isinstance(comparisons, ParameterRule) else ()
        if positive.get(around, False) or _says_what_is_allowed(comparisons):
            continue
        for operator in _NEGATIVE:
            value = getattr(comparisons, operator.field)
            if value is not None and not isinstance(value, ParameterReference):
                message = "says what is forbidden, which is never complete; say what is allowed instead"
                yield finding_of("not-in-denylist", rule.problem((*at, operator.word), message))


def _says_what_is_allowed(comparisons: Comparisons) -> bool:
    return any(getattr(comparisons, operator.field, None) is not None for operator in _POSITIVE)
