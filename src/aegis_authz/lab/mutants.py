"""Mutation testing of policies: does any test notice when a document says something slightly different?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from aegis_authz.core.json_value import Json
from aegis_authz.lab.cases import Case
from aegis_authz.lab.document_changes import document_changes
from aegis_authz.lab.edits import Edit
from aegis_authz.lab.trial import tried
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.bundle.limit_data import breakers_to_data, limits_to_data
from aegis_authz.policy.compile.limits import breakers_of, limits_of
from aegis_authz.policy.compile.rule_data import document_data
from aegis_authz.policy.compile.rules import CompiledDocument, compiled_document
from aegis_authz.policy.language.document import PolicyDocument, Template
from aegis_authz.policy.language.scope import covers
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.reader import SourceDocument


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where it stands, what it is in words, and the documents it changes, by place among all."""

    path: str
    line: int
    field: str
    words: str
    changed: Mapping[int, CompiledDocument]


@dataclass(frozen=True, slots=True)
class Mutants:
    """All changes that mean something, and how many others would have meant the same as what is written."""

    distinct: tuple[Mutant, ...]
    equivalent: int


def mutants_of(policies: Sequence[LoadedPolicy]) -> Mutants:
    """One mutant for each small change of each document and of each template that one of them extends.

    Changes that give no valid document are left out, as are those that compile to the same data.
    """
    versions: set[tuple[tuple[int, bytes], ...]] = set()
    original = {position: _data(policy.compiled) for position, policy in enumerate(policies)}
    mutants: list[Mutant] = []
    equivalent = 0
    for source, change, changed in _variants(policies):
        data = tuple((position, _data(document)) for position, document in sorted(changed.items()))
        if any(not compiled for _, compiled in data):
            continue
        if all(compiled == original[position] for position, compiled in data) or data in versions:
            equivalent += 1
            continue
        versions.add(data)
        place = source.problem(change.at, change.words)
        mutants.append(Mutant(place.path, place.line, place.field, change.words, changed))
    return Mutants(tuple(mutants), equivalent)


def spread(mutants: Sequence[Mutant], most: int) -> list[Mutant]:
    """At most that many of them, taken evenly from all."""
    if len(mutants) <= most:
        return [*mutants]
    return [mutants[position * len(mutants) // most] for position in range(most)]


def survivors(
    bench: Workbench, cases: Sequence[Case], mutants: Sequence[Mutant], tried: Callable[[], None]
) -> list[Mutant]:
    """The mutants under which every test passes as before.

    `cases` must all pass as the documents are. `tried` is called after each mutant. The bench runs the documents as
    they are when this returns. Raises LabError, Refused.
    """
    remainder = []
    try:
        for mutant in mutants:
            if not _is_noticed(bench, cases, mutant):
                remainder.append(mutant)
            tried()
    finally:
        bench.put(bench.loaded.compiled)
    return remainder


def _is_noticed(bench: Workbench, cases: Sequence[Case], mutant: Mutant) -> bool:
    scopes = {document.document.scope for document in mutant.changed.values()}
    about = [case for case in cases if any(covers(scope, case.call.agent) for scope in scopes)]
    if not about:
        return False  # a document says nothing to agents it does not cover
    whole = bench.loaded.compiled
    bench.put([mutant.changed.get(position, document) for position, document in enumerate(whole)])
    return not all(outcome.passed for outcome in tried(bench, about))


def _variants(
    policies: Sequence[LoadedPolicy],
) -> Iterator[tuple[SourceDocument, Edit, Mapping[int, CompiledDocument]]]:
    extending: dict[str, list[int]] = {}
    for position, policy in enumerate(policies):
        if policy.template is not None and policy.document.extends is not None:
            extending.setdefault(policy.document.extends, []).append(position)
        for change in document_changes(policy.source.value):
            document = _document(change.value, None if policy.template is None else policy.template.value)
            if document is not None:
                yield policy.source, change, {position: document}
    for positions in extending.values():
        template = policies[positions[0]].template
        for change in document_changes(template.value) if template is not None else ():
            changed = {position: _document(policies[position].source.value, change.value) for position in positions}
            whole = {position: document for position, document in changed.items() if document is not None}
            if template is not None and len(whole) == len(changed):
                yield template, change, whole


def _document(value: Json, template: Json) -> CompiledDocument | None:
    """The document with what it extends, None when one of both is not valid."""
    try:
        document = PolicyDocument.model_validate(value)
        whole = document if template is None else document.extended(Template.model_validate(template))
    except ValidationError:
        return None
    return compiled_document(whole)


def _data(compiled: CompiledDocument) -> bytes:
    """What makes a difference to decisions; empty when it does not compile."""
    try:
        limits, breakers = limits_to_data(limits_of([compiled])), breakers_to_data(breakers_of([compiled]))
        beyond: dict[str, Json] = {"limits": limits, "breakers": breakers}
        return canonical({"mode": compiled.document.mode, "data": document_data(compiled, (ANY,)), **beyond})
    except ValueError:
        return b""
