"""The one way in: texts of policies and tool catalogues in, checked values out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aegis_authz.core.catalogue import Tool
from aegis_authz.policy.catalogue import ToolEntry, ambiguities, tool_of
from aegis_authz.policy.checking import validated
from aegis_authz.policy.coherence import condition_key_problems, document_problems
from aegis_authz.policy.document import PolicyDocument
from aegis_authz.policy.problems import PolicyErrors, Problem
from aegis_authz.policy.source import SourceDocument, read_source


@dataclass(frozen=True, slots=True)
class Loaded:
    """Documents that passed every check, in order of file name and place."""

    policies: tuple[PolicyDocument, ...]
    tools: tuple[Tool, ...]


def load(
    policy_sources: Mapping[str, str],
    tool_sources: Mapping[str, str],
    detectors: Collection[str] | None = None,
) -> Loaded:
    """Read policies and tools.

    Both mappings go from a file's name, as messages shall show it, to its text. `detectors` are the
    names `sanitize` may use, None to accept any. Raises PolicyErrors with every problem of every file.
    """
    problems: list[Problem] = []
    tools, names = _tools(_documents(tool_sources, problems), problems)
    policies = _policies(
        _documents(policy_sources, problems), {tool.name: tool for tool in tools}, names, detectors, problems
    )
    if problems:
        raise PolicyErrors(problems)
    return Loaded(policies, tools)


def _documents(sources: Mapping[str, str], problems: list[Problem]) -> list[SourceDocument]:
    documents: list[SourceDocument] = []
    for path in sorted(sources):
        found, wrong = read_source(path, sources[path])
        documents += found
        problems += wrong
    return documents


def _tools(documents: list[SourceDocument], problems: list[Problem]) -> tuple[tuple[Tool, ...], set[str]]:
    tools: list[tuple[Tool, SourceDocument]] = []
    names: set[str] = set()
    for source in documents:
        name = source.value.get("tool") if isinstance(source.value, dict) else None
        if isinstance(name, str):
            names.add(name)
        entry, wrong = validated(ToolEntry, source)
        problems += wrong
        if entry is None:
            continue
        tool, faults = tool_of(entry)
        problems += [source.problem(location, message) for location, message in faults]
        if tool is not None:
            tools.append((tool, source))
    problems += ambiguities(tools)
    return tuple(tool for tool, _ in tools), names


def _policies(
    documents: list[SourceDocument],
    tools: Mapping[str, Tool],
    names: Collection[str],
    detectors: Collection[str] | None,
    problems: list[Problem],
) -> tuple[PolicyDocument, ...]:
    policies: list[PolicyDocument] = []
    for source in documents:
        unknown = condition_key_problems(source)
        document, wrong = validated(PolicyDocument, source)
        fields = {problem.field for problem in unknown}
        problems += unknown + [problem for problem in wrong if problem.field not in fields]
        if document is not None and not unknown:
            problems += document_problems(source, document, tools, names, detectors)
            policies.append(document)
    return tuple(policies)
