"""What differs between two sets of policies, said in the words of their rules: order, comments and layout are nothing.

Documents are compared whole, with what they extend and what definitions stand for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.compile.rules import CompiledDocument, CompiledRule
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.document_limits import LimitEntry
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import printable

_FOR_PEOPLE = frozenset(("description", "owner", "ticket"))
"""The words that decide nothing. Every other is compared, whatever it is."""
_LISTS = frozenset(("allowed_tools", "denied_tools", "waivers", "limits", "egress", "extends", "name"))
"""The words of a document that are compared by what is in them. What is extended is in the document by then."""
_OF_CONDITIONS = frozenset(("name", "actions", "conditions"))
_VERBS = {"allowed_tools": "allows", "denied_tools": "denies", "waivers": "waives"}


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A difference: `mark` is + for what is new, - for what is gone and ~ for what is another.

    `policy` is the document's title, `at` the rule or entry in words, "" for the document itself.
    """

    mark: str
    policy: str
    at: str
    sentence: str


def policy_changes(old: Sequence[CompiledDocument], new: Sequence[CompiledDocument]) -> tuple[PolicyChange, ...]:
    """The differences between two sets of policies, in order of their titles, which are theirs alone."""
    before, after = ({policy.document.title: policy for policy in policies} for policies in (old, new))
    changes: list[PolicyChange] = []
    for title in sorted({*before, *after}):
        if title not in before:
            changes.append(PolicyChange("+", title, "", f"policy for {after[title].document.scope}"))
        elif title not in after:
            changes.append(PolicyChange("-", title, "", f"policy for {before[title].document.scope}"))
        else:
            changes += _document_changes(title, before[title], after[title])
    return tuple(changes)


def _document_changes(title: str, old: CompiledDocument, new: CompiledDocument) -> Iterator[PolicyChange]:
    if old.document.scope != new.document.scope:
        yield PolicyChange("~", title, "", f"scope: {old.document.scope} -> {new.document.scope}")
    words = (_members(old.document), _members(new.document))
    for sentence in _word_changes("", *words, _LISTS | _FOR_PEOPLE | {"org", "tenant", "agent"}):
        yield PolicyChange("~", title, "", sentence)
    for mark, sentence in _egress_changes(old.document, new.document):
        yield PolicyChange(mark, title, "egress", sentence)
    yield from _rules_changes(title, old, new)
    yield from _limits_changes(title, old.document.limits, new.document.limits)


def _egress_changes(old: PolicyDocument, new: PolicyDocument) -> Iterator[tuple[str, str]]:
    if old.egress.opaque != new.egress.opaque:
        yield "~", f"opaque: {old.egress.opaque} -> {new.egress.opaque}"
    before, after = ({entry.host: _members(entry) for entry in document.egress.allow} for document in (old, new))
    for host in sorted({*before, *after}):
        if host not in before:
            yield "+", host
        elif host not in after:
            yield "-", host
        else:
            yield from (("~", f"{host} {text}") for text in _word_changes("", before[host], after[host], frozenset()))


def _rules_changes(title: str, old: CompiledDocument, new: CompiledDocument) -> Iterator[PolicyChange]:
    before, after = _by_name(old), _by_name(new)
    for name in sorted({*before, *after}):
        if name not in before:
            yield PolicyChange("+", title, name, _summary(after[name]))
        elif name not in after:
            yield PolicyChange("-", title, name, _summary(before[name]))
        else:
            for mark, sentence in _rule_changes(before[name], after[name]):
                yield PolicyChange(mark, title, name, sentence)


def _by_name(policy: CompiledDocument) -> dict[str, CompiledRule]:
    """Rules by what they are about; of several about the same, each has its number."""
    names: dict[str, CompiledRule] = {}
    for rule in (*policy.rules, *policy.rules.waiving):
        actions = ", ".join(sorted(rule.rule.actions))
        about = name = printable(f"{_VERBS[rule.listed]} {rule.rule.name}: {actions}")
        number = 1
        while name in names:
            number += 1
            name = f"{about} (rule {number})"
        names[name] = rule
    return names


def _summary(rule: CompiledRule) -> str:
    conditions = [text for texts in _conditions(rule).values() for text in texts.values()]
    return f"rule: {'; '.join(conditions) if conditions else 'no conditions'}"


def _rule_changes(old: CompiledRule, new: CompiledRule) -> Iterator[tuple[str, str]]:
    before, after = _conditions(old), _conditions(new)
    for label in sorted({*before, *after}):
        was, now = before.get(label, {}), after.get(label, {})
        for word in dict.fromkeys((*was, *now)):
            if word not in was:
                yield "+", now[word]
            elif word not in now:
                yield "-", was[word]
            elif was[word] != now[word]:
                yield "~", f"{was[word]} -> {now[word]}"
    words = (_members(old.rule), _members(new.rule))
    yield from (("~", sentence) for sentence in _word_changes("", *words, _OF_CONDITIONS | _FOR_PEOPLE))


def _conditions(rule: CompiledRule) -> dict[str, dict[str, str]]:
    """What is asked of each value, in words, by the condition."""
    return {value.label: dict(_value_words(value)) for value in rule.values}


def _value_words(value: ValueConditions) -> Iterator[tuple[str, str]]:
    label = printable(value.label)
    if value.type != "any":
        yield "type", f"{label} is of type {value.type}"
    if value.forbidden:
        yield "forbidden", f"{label} must not be there"
    if value.optional:
        yield "optional", f"{label} may be missing"
    if value.nullable:
        yield "nullable", f"{label} may be null"
    for number, check in enumerate(value.checks):
        words = f"{label} {check.condition} {_words(check.limit)}".strip()
        otherwise = "" if check.otherwise == "deny" else f", else {check.otherwise}"
        key = check.condition if check.condition not in _names(value, number) else f"{check.condition} {number}"
        yield key, f"{words}{otherwise}"


def _names(value: ValueConditions, number: int) -> set[str]:
    return {check.condition for check in value.checks[:number]}


def _limits_changes(title: str, old: Sequence[LimitEntry], new: Sequence[LimitEntry]) -> Iterator[PolicyChange]:
    before, after = _entries(old), _entries(new)
    for name in sorted({*before, *after}):
        at = f"limit {name}"
        if name not in before:
            yield PolicyChange("+", title, at, _words(after[name]))
        elif name not in after:
            yield PolicyChange("-", title, at, _words(before[name]))
        else:
            for sentence in _word_changes("", before[name], after[name], _FOR_PEOPLE | {"name"}):
                yield PolicyChange("~", title, at, sentence)


def _entries(entries: Sequence[LimitEntry]) -> dict[str, Mapping[str, Json]]:
    names: dict[str, Mapping[str, Json]] = {}
    for number, entry in enumerate(entries, start=1):
        name = printable(entry.name or f"number {number}")
        name = name if name not in names else f"{name} (number {number})"
        names[name] = _members(entry)
    return names


def _members(part: Part) -> Mapping[str, Json]:
    """What a part says, as it is written; what it leaves out is not there."""
    members: Mapping[str, Json] = part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return members


def _word_changes(prefix: str, old: Mapping[str, Json], new: Mapping[str, Json], but: frozenset[str]) -> Iterator[str]:
    """What is said otherwise, down to the words that differ."""
    for word in sorted({*old, *new} - but):
        was, now = old.get(word), new.get(word)
        if was == now:
            continue
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _word_changes(f"{prefix}{word}.", was, now, frozenset())
        else:
            yield printable(f"{prefix}{word}: {_words(was)} -> {_words(now)}")


def _words(value: Json) -> str:
    """A value as a document may write it."""
    if value is None:
        return "none"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
