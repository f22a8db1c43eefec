"""Where the rules and conditions of a loaded document were written, as explanations name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.compile.rules import CompiledRule
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.places import as_written
from aegis_authz.policy.source.reader import Location, SourceDocument

Key = tuple[str, str, bytes]
"""How a condition of a rule is known again in an explanation: label, condition and canonical limit."""


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule of a document and where it was written."""

    compiled: CompiledRule
    source: SourceDocument

    @property
    def id(self) -> str:
        """How explanations name it."""
        return self.compiled.id

    @property
    def line(self) -> int:
        return line_of(self.source, self.compiled.at)


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
        return [_whole(element) for element in value]
    if isinstance(value, Mapping):
        return {name: _whole(element) for name, element in value.items()}
    return value


def rules_of(policy: LoadedPolicy) -> list[WrittenRule]:
    """Every rule of a document, those of its template with the template's places."""
    return [WrittenRule(rule, policy.source_of(rule)) for rule in policy.compiled.rules]


def conditions_of(rule: WrittenRule) -> list[WrittenCondition]:
    """Every condition written into a rule; a refusal of negative values that nobody wrote is none."""
    return [condition for value in rule.compiled.values for condition in _of_value(rule, value)]


def _of_value(rule: WrittenRule, value: ValueConditions) -> Iterator[WrittenCondition]:
    def line(at: Location) -> int:
        place = (*rule.compiled.at, "conditions", *at)
        return line_of(rule.source, as_written(rule.source.value, place))

    for word, at in value.shape:
        yield WrittenCondition(value.label, word, (value.label, word, b""), line(at))
    for check in value.checks:
        if check.at is not None:
            key = key_of(value.label, check.condition, check.limit)
            yield WrittenCondition(value.label, check.condition, key, line(check.at))
