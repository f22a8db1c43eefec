"""The one way in: texts of policies and tool catalogues in, checked values out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.json_value import Json
from aegis_authz.core.price import NO_PRICES, ModelPrice, Prices, Pricing
from aegis_authz.policy.compile.coherence import condition_key_problems, document_problems
from aegis_authz.policy.compile.comparisons import pattern_fault
from aegis_authz.policy.compile.descriptor_sets import DescriptorSets, parted
from aegis_authz.policy.compile.holds import holds_of
from aegis_authz.policy.compile.identities import (
    NO_IDENTITIES,
    Identities,
    LoadedAgents,
    LoadedTrust,
    identity_problems,
)
from aegis_authz.policy.compile.residency import MEMBER as RESIDENCY
from aegis_authz.policy.compile.residency import LoadedResidency, read_residency
from aegis_authz.policy.compile.rules import CompiledDocument, CompiledRule, CompiledRules, compiled_rules
from aegis_authz.policy.language.ambiguities import ambiguities
from aegis_authz.policy.language.catalogue import KnownTool, ToolEntry, known_tool, tool_of
from aegis_authz.policy.language.costs import PricesDocument
from aegis_authz.policy.language.document import DefinitionsDocument, PolicyDocument, RuleSet, Template
from aegis_authz.policy.language.identities import AgentsDocument, TrustDocument
from aegis_authz.policy.language.pricing import names_models, pricing_faults, pricings
from aegis_authz.policy.language.reuse import Defined, written_out
from aegis_authz.policy.language.rule import DetectorDefinition
from aegis_authz.policy.language.validation import validated
from aegis_authz.policy.source.problems import MOST_PROBLEMS, PolicyErrors, Problem, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument, read_source

_Ruled = TypeVar("_Ruled", bound=RuleSet)
# Tools of files that could not be read to their ends, so that rules about them are not called wrong as well.
_TOOL = re.compile(r"""^(?:.*[{,])?\s*["']?tool["']?\s*:\s*["']?([a-z0-9._-]{1,63})""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A checked document, whole with what it extends, and where it was written."""

    compiled: CompiledDocument
    source: SourceDocument
    template: SourceDocument | None = None

    @property
    def document(self) -> PolicyDocument:
        return self.compiled.document

    def source_of(self, rule: CompiledRule) -> SourceDocument:
        """Where one of its rules was written: in the template, if it came from there."""
        return self.template if rule.rule.origin and self.template is not None else self.source


@dataclass(frozen=True, slots=True)
class Loaded:
    """Documents that passed every check, in order of file name and place.

    `loaded_policies` are the policies with their sources, `known_tools` is what rules may say of each tool,
    `identities` who is registered and trusted, `prices` what calls cost, and `residency` who is at home where.
    """

    loaded_policies: tuple[LoadedPolicy, ...]
    tools: tuple[Tool, ...]
    known_tools: Mapping[str, KnownTool] = field(default_factory=dict)
    identities: Identities = NO_IDENTITIES
    prices: Prices = NO_PRICES
    residency: LoadedResidency | None = None

    @property
    def policies(self) -> tuple[PolicyDocument, ...]:
        return tuple(policy.document for policy in self.loaded_policies)

    @property
    def compiled(self) -> tuple[CompiledDocument, ...]:
        """What a bundle is made of, together with `tools`."""
        return tuple(policy.compiled for policy in self.loaded_policies)

    @property
    def catalogue(self) -> Catalogue:
        """The tools, and for how long policies keep their requests open."""
        return Catalogue.of(self.tools).holding(holds_of(self.compiled))


def load(
    policy_sources: Mapping[str, str],
    tool_sources: Mapping[str, str],
    detectors: Collection[str] | None = None,
) -> Loaded:
    """Read policies and tools.

    Both mappings go from a file's name, as messages shall show it, to its text, or to the base64 of a descriptor set
    beside the tools that name it. `detectors` are the
    names `sanitize` may use, None to accept any. Raises PolicyErrors with every problem of every file.
    """
    documents, descriptor_sets = parted(tool_sources)
    catalogue, unreadable = _documents(documents)
    tools, names, wrong = _tools(
        [source for source in catalogue if not _has(source, "prices")], DescriptorSets(descriptor_sets)
    )
    prices, mispriced = _prices([source for source in catalogue if _has(source, "prices")], tools)
    wrong += mispriced
    for path in {problem.path for problem in (*unreadable, *wrong)}:
        names.update(_TOOL.findall(tool_sources[path]))
    known_tools = {tool.sayable.tool.name: tool.sayable for tool in tools}
    policy_texts, strays = parted(policy_sources)
    policies, garbled = _documents(policy_texts)
    garbled += [Problem(path, 1, 1, "", "a descriptor set stands among the tools that name it") for path in strays]
    reading = _Reading(known_tools, names, detectors, [*unreadable, *wrong, *garbled])
    identities = reading.identities(policies)
    residency = reading.residency(policies)
    loaded_policies = reading.policies([source for source in policies if not _is_apart(source)])
    if reading.problems:
        raise PolicyErrors(reading.problems)
    core_tools = tuple(entry.tool for entry in known_tools.values())
    return Loaded(tuple(loaded_policies), core_tools, known_tools, identities, prices, residency)


def _documents(sources: Mapping[str, str]) -> tuple[list[SourceDocument], list[Problem]]:
    """Every document of all files, and what is wrong with the files beyond what their documents tell themselves."""
    documents: list[SourceDocument] = []
    problems: list[Problem] = []
    for path in sorted(sources):
        file_documents, wrong = read_source(path, sources[path])
        documents += file_documents
        said_later = {problem for document in file_documents for problem in document.problems}
        problems += [problem for problem in wrong if problem not in said_later]
    return documents, problems


@dataclass(frozen=True, slots=True)
class _ReadTool:
    sayable: KnownTool
    entry: ToolEntry
    source: SourceDocument


def _tools(
    documents: Sequence[SourceDocument], sets: DescriptorSets
) -> tuple[list[_ReadTool], set[str], list[Problem]]:
    """The readable tools, the names of all, and what is wrong with the others."""
    tools: list[_ReadTool] = []
    names: set[str] = set()
    problems: list[Problem] = []
    for source in documents:
        name = source.value.get("tool") if isinstance(source.value, dict) else None
        if isinstance(name, str):
            names.add(name)
        entry, wrong = validated(ToolEntry, source)
        problems += wrong
        if entry is None:
            continue
        tool, faults = tool_of(entry)
        if tool is not None:
            tool, faults = sets.completed(tool, entry, source)
        problems += [source.problem(location, message) for location, message in faults]
        if tool is not None:
            tools.append(_ReadTool(known_tool(entry, tool), entry, source))
    problems += ambiguities([(tool.sayable.tool, tool.source) for tool in tools])
    return tools, names, problems


def _prices(documents: Sequence[SourceDocument], tools: Sequence[_ReadTool]) -> tuple[Prices, list[Problem]]:
    """What calls of the tools cost, and what is wrong with it."""
    models: dict[str, ModelPrice] = {}
    problems: list[Problem] = []
    for source in documents:
        document, wrong = validated(PricesDocument, source)
        problems += wrong
        for name, price in document.models.items() if document is not None else ():
            if name in models:
                problems.append(source.problem(("prices", "models", name), "has a price already", on_key=True))
            models[name] = price
    by_action: dict[str, Mapping[str, Pricing]] = {}
    for tool in tools:
        problems += [tool.source.problem(at, message) for at, message in pricing_faults(tool.entry, tool.sayable)]
        priced = pricings(tool.entry)
        if priced:
            by_action[tool.entry.tool] = priced
        place = names_models(tool.entry)
        if place is not None and not documents:
            message = "needs the prices of models: a document with prices beside the tools"
            problems.append(tool.source.problem(place, message))
    return Prices(by_action, models), problems


@dataclass(frozen=True, slots=True)
class _ReadTemplate:
    template: Template
    rules: CompiledRules
    source: SourceDocument


@dataclass(slots=True)
class _Reading:
    """Reads the documents of a policy folder: definitions first, then templates, then those that use both.

    `names` are the names of all tools, so that a tool with an error of its own is not called unknown as well.
    """

    tools: Mapping[str, KnownTool]
    names: Collection[str]
    detectors: Collection[str] | None
    problems: list[Problem]
    _wrong_templates: set[str] = field(default_factory=set)

    def identities(self, sources: Sequence[SourceDocument]) -> Identities:
        agents: list[LoadedAgents] = []
        trusts: list[LoadedTrust] = []
        for source in filter(_is_identity, sources):
            if _has(source, "agents"):
                document, wrong = validated(AgentsDocument, source)
                agents += [] if document is None else [LoadedAgents(document, source)]
            else:
                trust, wrong = validated(TrustDocument, source)
                trusts += [] if trust is None else [LoadedTrust(trust, source)]
            self.problems += wrong
        identities = Identities(tuple(agents), tuple(trusts))
        self.problems += identity_problems(identities)
        return identities

    def residency(self, sources: Sequence[SourceDocument]) -> LoadedResidency | None:
        residency, wrong = read_residency([source for source in sources if _has(source, RESIDENCY)])
        self.problems += wrong
        return residency

    def policies(self, sources: Sequence[SourceDocument]) -> list[LoadedPolicy]:
        defined = self._definitions([source for source in sources if _has(source, "define")])
        sources = [written_out(source, defined) for source in sources if not _has(source, "define")]
        templates = self._templates([source for source in sources if _has(source, "template")])
        policies = []
        for source in sources:
            if len(self.problems) > MOST_PROBLEMS:
                break  # no more are told
            if not _has(source, "template"):
                checked = self._checked(PolicyDocument, source)
                if checked is not None:
                    policies += self._extended(CompiledDocument(*checked), source, templates)
        self._refuse_namesakes(policies)
        return policies

    def _definitions(self, sources: Sequence[SourceDocument]) -> Defined:
        defined = Defined()
        for source in sources:
            self.problems += defined.add(source)
        for source in sources:
            document, wrong = validated(DefinitionsDocument, written_out(source, defined))
            wrong += _pattern_problems(source)
            if document is not None and self.detectors is not None:
                wrong += _detector_problems(source, document, self.detectors)
            self.problems += wrong
            defined.doubt(wrong)
        return defined

    def _templates(self, sources: Sequence[SourceDocument]) -> dict[str, _ReadTemplate]:
        templates: dict[str, _ReadTemplate] = {}
        for source in sources:
            checked = self._checked(Template, source)
            if checked is None:
                self._wrong_templates.add(_text(source, "template"))
                continue
            template, rules = checked
            if template.template in templates:
                self.problems.append(source.problem(("template",), "another template has this name"))
            templates.setdefault(template.template, _ReadTemplate(template, rules, source))
        return templates

    def _checked(self, model: type[_Ruled], source: SourceDocument) -> tuple[_Ruled, CompiledRules] | None:
        document, wrong = validated(model, source, condition_key_problems(source))
        self.problems += wrong
        if document is None:
            return None
        rules = compiled_rules(document)
        self.problems += document_problems(source, document, rules, self.tools, self.names, self.detectors)
        return document, rules

    def _extended(
        self, own: CompiledDocument, source: SourceDocument, templates: Mapping[str, _ReadTemplate]
    ) -> list[LoadedPolicy]:
        document = own.document
        if document.extends is None:
            return [LoadedPolicy(own, source)]
        if document.extends in self._wrong_templates:
            return []
        if document.extends not in templates:
            message = f"no template {quoted(document.extends)}{did_you_mean(document.extends, templates)}"
            self.problems.append(source.problem(("extends",), message))
            return []
        read = templates[document.extends]
        whole = document.extended(read.template)
        if whole.regions == ():
            self.problems.append(source.problem(("regions",), "shares no region with the template it extends"))
        compiled = CompiledDocument(whole, own.rules.extended(read.rules, document.extends))
        return [LoadedPolicy(compiled, source, read.source)]

    def _refuse_namesakes(self, policies: Sequence[LoadedPolicy]) -> None:
        """Decisions, explanations and tests name documents by their titles."""
        first: dict[str, SourceDocument] = {}
        for policy in policies:
            title = policy.document.title
            earlier = first.setdefault(title, policy.source)
            if earlier is not policy.source:
                at = "name" if policy.document.name else "agent"
                where = f"{earlier.path}:{earlier.at[()].line}" if () in earlier.at else earlier.path
                message = f"another document is called {quoted(title)} ({where}); give one of them another name"
                self.problems.append(policy.source.problem((at,), message))


def _pattern_problems(source: SourceDocument) -> list[Problem]:
    define = source.value.get("define") if isinstance(source.value, Mapping) else None
    patterns = define.get("patterns") if isinstance(define, Mapping) else None
    entries = patterns.items() if isinstance(patterns, Mapping) else ()
    places: list[tuple[Location, str]] = [
        (("define", "patterns", name), pattern) for name, pattern in entries if isinstance(pattern, str)
    ]
    detectors = define.get("detectors") if isinstance(define, Mapping) else None
    for name, detector in detectors.items() if isinstance(detectors, Mapping) else ():
        pattern = detector.get("pattern") if isinstance(detector, Mapping) else None
        if isinstance(pattern, str):
            places.append((("define", "detectors", name, "pattern"), pattern))
    faults = ((place, pattern_fault(pattern)) for place, pattern in places)
    return [source.problem(place, fault) for place, fault in faults if fault is not None]


def _detector_problems(
    source: SourceDocument, document: DefinitionsDocument, detectors: Collection[str]
) -> list[Problem]:
    problems: list[Problem] = []
    defined = document.define.detectors
    for name, value in defined.items():
        if isinstance(value, DetectorDefinition):
            if name in detectors:
                message = f"{quoted(name)} is the name of a detector that is there already"
                problems.append(source.problem(("define", "detectors", name), message, on_key=True))
            continue
        problems += (
            source.problem(
                ("define", "detectors", name, position),
                f"no detector {quoted(detector)}{did_you_mean(detector, [*detectors, *defined])}",
            )
            for position, detector in enumerate(value)
            if detector not in detectors and not isinstance(defined.get(detector), DetectorDefinition)
        )
    return problems


def _text(source: SourceDocument, key: str) -> str:
    value = source.value.get(key) if isinstance(source.value, Mapping) else None
    return value if isinstance(value, str) else ""


def _is_identity(source: SourceDocument) -> bool:
    return _has(source, "agents") or _has(source, "trust")


def _is_apart(source: SourceDocument) -> bool:
    """Whether a document holds no rules: it is about identities or regions."""
    return _is_identity(source) or _has(source, RESIDENCY)


def _has(source: SourceDocument, key: str) -> bool:
    value: Json = source.value
    return isinstance(value, Mapping) and key in value
