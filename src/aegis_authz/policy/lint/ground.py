"""What is linted: the loaded documents with their rules, and what stands beside them in the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import ChannelPlaces
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.compile.rules import CompiledRule
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.rule import Rule
from aegis_authz.policy.language.values import Comparisons, ParameterRule
from aegis_authz.policy.load import Loaded, LoadedPolicy
from aegis_authz.policy.source.binaries import is_binary
from aegis_authz.policy.source.places import as_written, inside
from aegis_authz.policy.source.problems import Problem
from aegis_authz.policy.source.reader import Location, SourceDocument, read_source

PARAMETERS: Location = ("conditions", "parameters")
CONTEXT: Location = ("conditions", "context")


@dataclass(frozen=True, eq=False)
class LintedRule:
    """One rule as one document has it. Where it came from a template, `source` is the template's."""

    compiled: CompiledRule
    document: PolicyDocument
    source: SourceDocument

    @property
    def id(self) -> str:
        return self.compiled.id

    @property
    def rule(self) -> Rule:
        return self.compiled.rule

    @property
    def at(self) -> Location:
        return self.compiled.at

    @property
    def values(self) -> tuple[ValueConditions, ...]:
        """What its conditions mean; the same tuple in each document that extends the rule's template."""
        return self.compiled.values

    @property
    def denying(self) -> bool:
        return self.compiled.denies

    @property
    def inherited(self) -> bool:
        return bool(self.rule.origin)

    @property
    def place(self) -> tuple[int, Location]:
        """The same for each document that extends the rule's template."""
        return id(self.source), self.at

    def problem(self, part: Location, message: str) -> Problem:
        """A problem with what stands at `part` inside the rule; its key is shown where it has one."""
        location = as_written(self.source.places.root, (*self.at, *part))
        return self.source.problem(location, message, on_key=bool(location) and isinstance(location[-1], str))

    def citation(self, seen_from: SourceDocument) -> str:
        """How messages about another rule name this one."""
        line = self.source.problem(self.at, "").line
        where = f"line {line}" if seen_from.path == self.source.path else f"{self.source.path}:{line}"
        return f"{self.id} of {self.document.title} ({where})"

    def raw(self, part: Location) -> Json:
        """What stands there in the file, before names were written out; None where nothing does."""
        return inside(self.source.places.root, as_written(self.source.places.root, (*self.at, *part)))

    def parameter_rules(self) -> Iterator[tuple[Location, tuple[ParameterRule, ...]]]:
        """What is written of each parameter and each word of the context, and where."""
        conditions = self.rule.conditions
        for name, rules in conditions.parameters.items():
            yield (*PARAMETERS, name), rules
        for word, rule in conditions.context:
            if isinstance(rule, ParameterRule):
                yield (*CONTEXT, word), (rule,)

    def comparisons(self) -> Iterator[tuple[Location, Comparisons]]:
        """The same one by one, each followed by what is asked of elements."""
        for location, rules in self.parameter_rules():
            for position, rule in enumerate(rules):
                at = (*location, position)
                yield at, rule
                if rule.every is not None:
                    yield (*at, "every"), rule.every
                if rule.any_element is not None:
                    yield (*at, "any"), rule.any_element


@dataclass(frozen=True, eq=False)
class LintedDocument:
    """A document and its rules, those of its template among them."""

    loaded: LoadedPolicy
    allowing: tuple[LintedRule, ...]
    denying: tuple[LintedRule, ...]

    @property
    def document(self) -> PolicyDocument:
        return self.loaded.document


@dataclass(frozen=True)
class Ground:
    """Everything a lint may look at. `beside` are the definitions and templates, `tools` the catalogue, as written.

    `places` are those of the channels that there are, None where that is not known.
    """

    loaded: Loaded
    documents: tuple[LintedDocument, ...]
    beside: tuple[SourceDocument, ...]
    tools: tuple[SourceDocument, ...]
    now: datetime
    places: ChannelPlaces | None

    def rules(self) -> Iterator[LintedRule]:
        """Every rule once, those of a template as the first document has them that extends it."""
        places = set()
        for rule in self.every_rule():
            if rule.place not in places:
                places.add(rule.place)
                yield rule

    def every_rule(self) -> Iterator[LintedRule]:
        """Every rule of every document; those of a template once for each document that extends it."""
        for entry in self.documents:
            yield from entry.allowing
            yield from entry.denying


def ground_of(
    loaded: Loaded,
    policies: Mapping[str, str],
    tools: Mapping[str, str],
    now: datetime,
    places: ChannelPlaces | None = None,
) -> Ground:
    """The ground of documents that were loaded from these texts. `now` is what windows of time are held against."""
    documents = tuple(
        LintedDocument(
            policy,
            tuple(LintedRule(rule, policy.document, policy.source_of(rule)) for rule in policy.compiled.rules.allowing),
            tuple(LintedRule(rule, policy.document, policy.source_of(rule)) for rule in policy.compiled.rules.denying),
        )
        for policy in loaded.loaded_policies
    )
    return Ground(
        loaded, documents, _holding(policies, ("define", "template")), _holding(tools, ("tool",)), now, places
    )


def _holding(texts: Mapping[str, str], keys: Sequence[str]) -> tuple[SourceDocument, ...]:
    """The documents that have one of these keys; files without the word are not read again."""
    return tuple(
        source
        for path in sorted(texts)
        if not is_binary(path) and any(key in texts[path] for key in keys)
        for source in read_source(path, texts[path])[0]
        if isinstance(source.value, Mapping) and not source.value.keys().isdisjoint(keys)
    )
