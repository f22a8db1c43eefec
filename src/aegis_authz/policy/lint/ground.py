"""What is linted: the loaded documents with their rules, and what stands beside them in the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.conditions import ValueConditions, short_form, value_conditions
from aegis_authz.policy.compile.rule_data import rule_ids
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.rule import Conditions, DenyRule, Rule
from aegis_authz.policy.language.values import Comparisons, ParameterRule
from aegis_authz.policy.load import Loaded, LoadedPolicy
from aegis_authz.policy.source.problems import Problem
from aegis_authz.policy.source.reader import Location, SourceDocument, read_source

PARAMETERS: Location = ("conditions", "parameters")
CONTEXT: Location = ("conditions", "context")

Path = tuple[str, tuple[str, ...]]
"""What conditions are about: parameters or context, and the names that lead to the value."""


@dataclass(frozen=True, eq=False)
class LintedRule:
    """One rule as one document has it. Where it came from a template, `source` is the template's."""

    id: str
    rule: Rule
    document: PolicyDocument
    source: SourceDocument
    at: Location
    values: Mapping[Path, ValueConditions]

    @property
    def denying(self) -> bool:
        return isinstance(self.rule, DenyRule)

    @property
    def inherited(self) -> bool:
        return bool(self.rule.origin)

    @property
    def place(self) -> tuple[int, Location]:
        """The same for each document that extends the rule's template."""
        return id(self.source), self.at

    def problem(self, inner: Location, message: str) -> Problem:
        """A problem with what stands at `inner` inside the rule; its key is shown where it has one."""
        location = as_written(self.source.places.written, (*self.at, *inner))
        return self.source.problem(location, message, on_key=bool(location) and isinstance(location[-1], str))

    def told(self, seen_from: SourceDocument) -> str:
        """How messages about another rule name this one."""
        line = self.source.problem(self.at, "").line
        where = f"line {line}" if seen_from.path == self.source.path else f"{self.source.path}:{line}"
        return f"{self.id} of {self.document.title} ({where})"

    def raw(self, inner: Location) -> Json:
        """What stands there in the file, before names were written out; None where nothing does."""
        return inside(self.source.places.written, as_written(self.source.places.written, (*self.at, *inner)))

    def place_of(self, value: ValueConditions, nth: int) -> Location:
        """Where inside the rule the nth check of a value stands."""
        word = value.checks[nth].condition
        before = sum(check.condition == word for check in value.checks[:nth])
        if value.of == "context":
            return (*CONTEXT, value.name, word)
        if not value.name:
            return ("conditions", "schema")
        rules = self.rule.conditions.parameters.get(value.name, ())
        having = [position for position, one in enumerate(rules) if _has(one, word)]
        if before < len(having):
            return (*PARAMETERS, value.name, having[before], word)
        for key in self.rule.conditions.short_forms:
            split = short_form(key)
            if split is not None and split[0] == word and split[1] in (value.name, ""):
                return ("conditions", key)
        return (*PARAMETERS, value.name)

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
                if rule.some is not None:
                    yield (*at, "any"), rule.some


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
    """Everything a lint may look at. `beside` are the definitions and templates, `tools` the catalogue, as written."""

    loaded: Loaded
    documents: tuple[LintedDocument, ...]
    beside: tuple[SourceDocument, ...]
    tools: tuple[SourceDocument, ...]
    now: datetime

    def rules(self) -> Iterator[LintedRule]:
        """Every rule once, those of a template as the first document has them that extends it."""
        seen = set()
        for rule in self.every_rule():
            if rule.place not in seen:
                seen.add(rule.place)
                yield rule

    def every_rule(self) -> Iterator[LintedRule]:
        """Every rule of every document; those of a template once for each document that extends it."""
        for one in self.documents:
            yield from one.allowing
            yield from one.denying


def ground_of(loaded: Loaded, policies: Mapping[str, str], tools: Mapping[str, str], now: datetime) -> Ground:
    """The ground of documents that were loaded from these texts. `now` is what windows of time are held against."""
    understood: dict[tuple[int, bool], Mapping[Path, ValueConditions]] = {}

    def values(conditions: Conditions, denying: bool) -> Mapping[Path, ValueConditions]:
        key = id(conditions), denying  # rules of a template share theirs
        if key not in understood:
            found, _ = value_conditions(conditions, denying)
            understood[key] = {(one.of, one.path): one for one in found}
        return understood[key]

    def rules(one: LoadedPolicy, listed: str) -> Iterator[LintedRule]:
        for named, rule in rule_ids(one.document, listed):
            source = one.template if rule.origin and one.template is not None else one.source
            at: Location = (listed, int(named[named.rindex("[") + 1 : -1]))
            known = values(rule.conditions, listed == "denied_tools")
            yield LintedRule(named, rule, one.document, source, at, known)

    documents = tuple(
        LintedDocument(one, tuple(rules(one, "allowed_tools")), tuple(rules(one, "denied_tools")))
        for one in loaded.written
    )
    return Ground(loaded, documents, _holding(policies, ("define", "template")), _holding(tools, ("tool",)), now)


def as_written(value: Json, location: Location) -> Location:
    """The location without the positions of lists that are not there: one value may stand for a list of one."""
    written: list[str | int] = []
    for part in location:
        if isinstance(part, int) and not isinstance(value, list):
            continue
        written.append(part)
        value = inside(value, (part,))
    return tuple(written)


def inside(value: Json, location: Location) -> Json:
    """What stands at a location, None where nothing does."""
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _has(rule: ParameterRule, word: str) -> bool:
    """Whether a check of that word comes from this rule."""
    if word == "exists":
        return rule.exists is False
    dumped: Mapping[str, object] = {field.alias or name: getattr(rule, name) for name, field in _FIELDS.items()}
    return dumped.get(word) is not None


_FIELDS = ParameterRule.model_fields


def _holding(texts: Mapping[str, str], keys: Sequence[str]) -> tuple[SourceDocument, ...]:
    """The documents that have one of these keys; files without the word are not read again."""
    return tuple(
        source
        for path in sorted(texts)
        if any(key in texts[path] for key in keys)
        for source in read_source(path, texts[path])[0]
        if isinstance(source.value, Mapping) and not source.value.keys().isdisjoint(keys)
    )
