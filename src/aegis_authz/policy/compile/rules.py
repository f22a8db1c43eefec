"""The rules of a document, each compiled once: whatever asks what a rule means asks here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aegis_authz.policy.compile.comparisons import Fault
from aegis_authz.policy.compile.conditions import ValueConditions, value_conditions
from aegis_authz.policy.compile.time_windows import time_checks
from aegis_authz.policy.language.document import PolicyDocument, RuleSet
from aegis_authz.policy.language.rule import Rule, Waiver
from aegis_authz.policy.language.values import TimeRule, TimeWindow
from aegis_authz.policy.source.reader import Location

Listed = Literal["allowed_tools", "denied_tools", "waivers"]
"""The lists of rules that a document or template has."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule and what its conditions mean.

    `position` counts within the document or template that holds it. With `faults`, which have their places inside the
    rule, it cannot be put into a bundle.
    """

    rule: Rule
    listed: Listed
    position: int
    values: tuple[ValueConditions, ...]
    faults: tuple[Fault, ...]

    @property
    def at(self) -> Location:
        """Where it stands in its document or template."""
        return self.listed, self.position

    @property
    def id(self) -> str:
        """How explanations name it: its place in its document, or in the template of that name."""
        return f"{self.rule.origin + ':' if self.rule.origin else ''}{self.listed}[{self.position}]"

    @property
    def denies(self) -> bool:
        """Whether it is one of `denied_tools`."""
        return self.listed == "denied_tools"

    @property
    def asks(self) -> bool:
        """Whether a condition that does not hold can ask for an approval."""
        return any(check.otherwise == "approval_needed" for value in self.values for check in value.checks)

    def inherited(self, origin: str) -> CompiledRule:
        """The same, as taken over from the template of that name."""
        return replace(self, rule=self.rule.inherited(origin))


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRules:
    """The rules of a document or template, in order. `waiving` ones judge nothing and are none of those it walks."""

    allowing: tuple[CompiledRule, ...]
    denying: tuple[CompiledRule, ...]
    waiving: tuple[CompiledRule, ...]

    def __iter__(self) -> Iterator[CompiledRule]:
        yield from self.allowing
        yield from self.denying

    def extended(self, template: CompiledRules, name: str) -> CompiledRules:
        """These rules with those of a template after them."""
        return CompiledRules(
            allowing=(*self.allowing, *(rule.inherited(name) for rule in template.allowing)),
            denying=(*self.denying, *(rule.inherited(name) for rule in template.denying)),
            waiving=self.waiving,
        )


@dataclass(frozen=True, slots=True, eq=False)
class CompiledDocument:
    """A document, whole with what it extends, and its rules."""

    document: PolicyDocument
    rules: CompiledRules


def compiled_rules(rules: RuleSet) -> CompiledRules:
    """The rules that a document or template holds itself."""
    waivers = rules.waivers if isinstance(rules, PolicyDocument) else ()
    return CompiledRules(
        _compiled(rules.allowed_tools, "allowed_tools"),
        _compiled(rules.denied_tools, "denied_tools"),
        tuple(map(_dated, _compiled(waivers, "waivers"))),
    )


def compiled_document(document: PolicyDocument) -> CompiledDocument:
    """A document nobody has compiled yet. Rules it took over from a template are known by their places there."""
    return CompiledDocument(document, compiled_rules(document))


def _dated(compiled: CompiledRule) -> CompiledRule:
    """A waiver with the days for which it is."""
    waiver = compiled.rule
    if not isinstance(waiver, Waiver):
        raise TypeError("not a waiver")
    window = TimeWindow.model_validate({"from": waiver.since, "until": waiver.until})
    days = ValueConditions("context", "time", False, "number", time_checks(TimeRule(within=(window,)), ()))
    return replace(compiled, values=(*compiled.values, days))


def _compiled(rules: Sequence[Rule], listed: Listed) -> tuple[CompiledRule, ...]:
    before: dict[str, int] = {}
    compiled = []
    for rule in rules:
        position = before.setdefault(rule.origin, 0)
        before[rule.origin] += 1
        values, faults = value_conditions(rule.conditions, denying=listed == "denied_tools")
        placed = tuple((("conditions", *at), message) for at, message in faults)
        compiled.append(CompiledRule(rule, listed, position, tuple(values), placed))
    return tuple(compiled)
