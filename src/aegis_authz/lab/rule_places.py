"""Where the rules and conditions of a loaded document were written, as explanations name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.lab.edits import inside
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.conditions import ValueConditions, short_form, value_conditions
from aegis_authz.policy.compile.rule_data import rule_ids
from aegis_authz.policy.language.rule import Rule
from aegis_authz.policy.language.values import ParameterRule
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.reader import Location, SourceDocument

LISTS = ("allowed_tools", "denied_tools")

Key = tuple[str, str, bytes]
"""How a condition of a rule is known again in an explanation: label, condition and canonical limit."""


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule of a document: how explanations name it, and where it stands."""

    id: str
    rule: Rule
    source: SourceDocument
    at: Location

    @property
    def line(self) -> int:
        return line_of(self.source, self.at)


@dataclass(frozen=True, slots=True)
class WrittenCondition:
    """A condition somebody wrote into a rule, and where."""

    label: str
    condition: str
    key: Key
    line: int


def line_of(source: SourceDocument, at: Location) -> int:
    """The line of a value, or of the nearest value around it that stands in the file."""
    return source.problem(at, "").line


def key_of(label: str, condition: str, limit: Json) -> Key:
    """How a condition is known again. OPA writes 10.0 as 10, so both are one."""
    return label, condition, canonical(_whole(limit))


def _whole(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, Mapping):
        return {name: _whole(inner) for name, inner in value.items()}
    return value


def rules_of(one: LoadedPolicy) -> list[WrittenRule]:
    """Every rule of a document, those of its template with the template's places."""
    found = []
    for listed in LISTS:
        for named, rule in rule_ids(one.document, listed):
            position = int(named[named.rindex("[") + 1 : -1])
            source = one.template if rule.origin and one.template is not None else one.source
            found.append(WrittenRule(named, rule, source, (listed, position)))
    return found


def conditions_of(written: WrittenRule) -> list[WrittenCondition]:
    """Every condition written into a rule; a refusal of negative values that nobody wrote is none."""
    found, _ = value_conditions(written.rule.conditions, denying=True)
    return [condition for value in found for condition in _of_value(written, value)]


def _of_value(written: WrittenRule, value: ValueConditions) -> Iterator[WrittenCondition]:
    at = (*written.at, "conditions")
    raw = inside(written.source.value, at)
    for word, place in _presence(written.rule, value, raw):
        yield WrittenCondition(value.label, word, (value.label, word, b""), line_of(written.source, (*at, *place)))
    seen: dict[str, int] = {}
    for check in value.checks:
        nth = seen.setdefault(check.condition, 0)
        seen[check.condition] += 1
        place = _place(raw, value, check.condition, nth)
        key = key_of(value.label, check.condition, check.limit)
        yield WrittenCondition(value.label, check.condition, key, line_of(written.source, (*at, *place)))


def _presence(rule: Rule, value: ValueConditions, raw: Json) -> Iterator[tuple[str, Location]]:
    """`type` and `exists: true`, which become no checks."""
    asked: list[tuple[ParameterRule, Location]] = []
    if value.of == "parameters":
        given = rule.conditions.parameters.get(value.name, ())
        at: Location = ("parameters", value.name)
        listed = isinstance(inside(raw, at), list)
        asked = [(one, (*at, position) if listed else at) for position, one in enumerate(given)]
    elif value.name != "time":
        asked = [(getattr(rule.conditions.context, value.name), ("context", value.name))]
    for one, place in asked:
        if one.type is not None:
            yield "type", (*place, "type")
        if one.exists is True:
            yield "present", (*place, "exists")


def _place(raw: Json, value: ValueConditions, word: str, nth: int) -> Location:
    """Where inside the conditions the nth condition of that word stands."""
    if value.of == "context":
        return ("context", value.name, word)
    if not value.name:
        return ("schema",)
    listed = inside(raw, ("parameters", value.name))
    if isinstance(listed, list):
        having = [position for position, one in enumerate(listed) if isinstance(one, Mapping) and word in one]
        if nth < len(having):
            return ("parameters", value.name, having[nth], word)
    elif isinstance(listed, Mapping) and word in listed and nth == 0:
        return ("parameters", value.name, word)
    for key in raw if isinstance(raw, Mapping) else ():
        split = short_form(key)
        if split is not None and split[0] == word and split[1] in (value.name, ""):
            return (key,)
    return ("parameters", value.name)
