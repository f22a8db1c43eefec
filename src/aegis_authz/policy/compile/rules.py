"""The rules of a document, each compiled once: whatever asks what a rule means asks here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aegis_authz.policy.compile.comparisons import Fault
from aegis_authz.policy.compile.conditions import ValueConditions, value_conditions
from aegis_authz.policy.language.document import PolicyDocument, RuleSet
from aegis_authz.policy.language.rule import DenyRule, Rule, ToolRule
from aegis_authz.policy.source.reader import Location

Listed = Literal["allowed_tools", "denied_tools"]
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
    """The rules of a document or template, in order."""

    allowing: tuple[CompiledRule, ...]
    denying: tuple[CompiledRule, ...]

    def __iter__(self) -> Iterator[CompiledRule]:
        yield from self.allowing
        yield from self.denying

    def extended(self, template: CompiledRules, name: str) -> CompiledRules:
        """These rules with those of a template after them."""
        return CompiledRules(
            allowing=(*self.allowing, *(rule.inherited(name) for rule in template.allowing)),
            denying=(*self.denying, *(rule.inherited(name) for rule in template.denying)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CompiledDocument:
    """A document, whole with what it extends, and its rules."""

    document: PolicyDocument
    rules: CompiledRules


def compiled_rules(rules: RuleSet) -> CompiledRules:
    """The rules that a document or template holds itself."""
    return CompiledRules(_compiled(rules.allowed_tools, "allowed_tools"), _compiled(rules.denied_tools, "denied_tools"))


def compiled_document(document: PolicyDocument) -> CompiledDocument:
    """A document nobody has compiled yet. Rules it took over from a template are known by their places there."""
    return CompiledDocument(document, compiled_rules(document))


def _compiled(rules: Sequence[ToolRule] | Sequence[DenyRule], listed: Listed) -> tuple[CompiledRule, ...]:
    before: dict[str, int] = {}
    compiled = []
    for rule in rules:
        position = before.setdefault(rule.origin, 0)
        before[rule.origin] += 1
        values, faults = value_conditions(rule.conditions, denying=listed == "denied_tools")
        placed = tuple((("conditions", *at), message) for at, message in faults)
        compiled.append(CompiledRule(rule, listed, position, tuple(values), placed))
    return tuple(compiled)
