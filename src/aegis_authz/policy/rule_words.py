"""What a rule asks and demands, in words for people who read no policies: a line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.comparisons import Check
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.compile.rules import CompiledRule
from aegis_authz.policy.language.operators import OPERATORS, PHRASES, Operand
from aegis_authz.policy.language.rule import Approval, Redaction, Rule, ToolRule, Waiver

_MOST = 160
"""Characters of what a value is compared with; longer ones are cut."""


def condition_words(rule: CompiledRule) -> Iterator[str]:
    """Each condition of a rule."""
    for value in rule.values:
        checks = [_check_words(check) for check in value.checks]
        note = " (where it is there)" if value.optional and not value.forbidden else ""
        yield from (f"{value.label}: {words}{note}" for words in checks or [_presence(value)])


def demand_words(rule: Rule) -> Iterator[str]:
    """What else must be for a rule to give what it gives: redactions, headers, who approves, and from when to when."""
    if isinstance(rule, Waiver):
        yield f"for approvals asked by {', '.join(rule.of)}, from {rule.since} to {rule.until}"
    if not isinstance(rule, ToolRule):
        return
    if rule.sanitize is not None:
        for side, redaction in (("request", rule.sanitize.request), ("response", rule.sanitize.response)):
            if redaction is not None:
                yield f"redacts in the {side}: {_redaction_words(redaction)}"
    if rule.obligations is not None:
        yield from (f"sets the header {header.name}" for header in rule.obligations.set_headers)
        yield from (
            f"puts the credential {entry.credential} into the header {entry.header}"
            for entry in rule.obligations.inject_credentials
        )
    if rule.approval is not None:
        yield _approval_words(rule.approval)


def _presence(value: ValueConditions) -> str:
    return "is there" if value.type == "any" else f"of type {value.type}"


def _check_words(check: Check) -> str:
    words = PHRASES[check.condition].replace("{limit}", _limit_words(check.condition, check.limit))
    asks = check.otherwise == "approval_needed" and not OPERATORS[check.condition].asks_approval
    return f"{words}, else an approval" if asks else words


def _limit_words(condition: str, limit: Json) -> str:
    if OPERATORS[condition].operand is Operand.ELEMENTS and isinstance(limit, Mapping):
        return _cut(" and ".join(_element_words(word, bound) for word, bound in limit.items()))
    if OPERATORS[condition].operand is Operand.SIZE and isinstance(limit, Mapping):
        return " and ".join(_size_words(word, bound) for word, bound in limit.items())
    if isinstance(limit, Mapping) and set(limit) == {"parameter"}:
        return f"the value of {limit['parameter']}"
    if isinstance(limit, list):
        return _cut(", ".join(map(_scalar, limit)))
    return _cut(_scalar(limit))


def _element_words(word: str, bound: Json) -> str:
    if word == "at":
        return f"at {bound}"
    return PHRASES[word].replace("{limit}", _limit_words(word, bound))


def _size_words(word: str, bound: Json) -> str:
    return PHRASES[word].replace("{limit}", str(bound))


def _scalar(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _redaction_words(redaction: Redaction) -> str:
    own = (detector.name for detector in redaction.own)
    return ", ".join((*redaction.detectors, *own, *redaction.fields))


def _approval_words(approval: Approval) -> str:
    people = "one person" if approval.approvals == 1 else f"{approval.approvals} people"
    groups = f" of {' or '.join(sorted(approval.groups))}" if approval.groups else ""
    when = "every call is" if approval.always else "where an approval is asked, it is"
    return f"{when} approved by {people}{groups}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
