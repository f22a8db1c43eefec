"""Catalogue entries from what people have already: an OpenAPI description at a path or a URL, a curl command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import yaml

from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.core.interface import Interface
from aegis_authz.core.json_value import Json
from aegis_authz.policy.catalogue_changes import (
    CatalogueChange,
    catalogue_changes,
    message_changes,
    model_prices,
    price_changes,
    tool_entries,
)
from aegis_authz.policy.compile.descriptors import DescriptorsUnusable
from aegis_authz.policy.curl import CurlEntry, CurlUnusable, curl_entry
from aegis_authz.policy.descriptor_entry import DescriptorChoice, DescriptorEntry, descriptor_entry
from aegis_authz.policy.graphql_schema import GraphqlEntry, SchemaUnusable, graphql_entry
from aegis_authz.policy.load import load
from aegis_authz.policy.openapi.entry import Choice, DescriptionUnusable, ImportedEntry, entry_of
from aegis_authz.policy.openapi.text import TextUnreadable, document_of
from aegis_authz.policy.persisted_documents import PersistedDocuments, persisted_documents
from aegis_authz.policy.source.binaries import is_binary, path_beside, text_of
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import read_source

AnyEntry = ImportedEntry | CurlEntry | GraphqlEntry | DescriptorEntry

MOST_BYTES = 64 * 1024 * 1024
_SECONDS = 60
_PARAMETER_DEPTH = 4  # actions, an action, parameters, a parameter


@unable_on(DescriptionUnusable, OSError)
def imported_entry(source: str, choice: Choice) -> ImportedEntry:
    """The entry of the description at a path or an http(s) URL, valid as a catalogue by itself.

    Raises Unable for a description that cannot be read or used, PolicyErrors where an entry made of it is not valid.
    """
    try:
        document = document_of(_content(source))
    except TextUnreadable as fault:
        raise Unable(f"{source} {fault}") from None
    return entry_of(document, choice)


@unable_on(CurlUnusable)
def entry_of_curl(words: Sequence[str], tool: str, action: str, owner: str) -> CurlEntry:
    """The entry of the request that a curl command would send. Raises Unable."""
    return curl_entry(words, tool, action, owner)


@unable_on(SchemaUnusable, OSError, UnicodeDecodeError)
def entry_of_graphql(
    source: str, tool: str, host: str, path: str, owner: str, only: Sequence[str], persisted: str
) -> GraphqlEntry:
    """The entry of the schema at a path or an http(s) URL; `persisted` is where its documents are listed, "" for none.

    Raises Unable.
    """
    listed = persisted_documents(_content(persisted).decode("utf-8")) if persisted else PersistedDocuments({}, ())
    entry = graphql_entry(_content(source).decode("utf-8"), tool, host, path, owner, only, listed.documents)
    return replace(entry, gaps=(*listed.gaps, *entry.gaps))


@unable_on(OSError)
def entry_of_descriptors(source: str, choice: DescriptorChoice) -> DescriptorEntry:
    """The entry of the descriptor set at a path or an http(s) URL. Raises Unable."""
    try:
        return descriptor_entry(_content(source), choice)
    except DescriptorsUnusable as fault:
        raise Unable(f"{source} {fault}") from None


def entry_text(entry: AnyEntry) -> str:
    """The entry as a file of a catalogue. Raises PolicyErrors for what no catalogue can hold."""
    text: str = yaml.dump(_laid_out(entry.document), Dumper=_Layout, sort_keys=False, allow_unicode=True, width=110)
    beside = {entry.file: text_of(entry.content)} if isinstance(entry, DescriptorEntry) else {}
    load({}, {f"{entry.tool}.yaml": text, **beside})
    return text


def changes_between(old: tuple[str, str], new: tuple[str, str]) -> tuple[CatalogueChange, ...]:
    """What differs between two catalogues, each the name of a file and its text. Raises PolicyErrors."""
    before, after = _documents(*old), _documents(*new)
    changes = catalogue_changes(tool_entries(before), tool_entries(after))
    changes += price_changes(model_prices(before), model_prices(after))
    return changes + message_changes(_interfaces(*old), _interfaces(*new))


def _documents(name: str, text: str) -> list[Mapping[str, Json]]:
    """The valid documents of a file: entries of tools, and prices of models."""
    load({}, {name: text, **_sets_beside(name, text)})
    documents, problems = read_source(name, text)
    if problems:
        raise PolicyErrors(problems)
    return [document.value for document in documents if isinstance(document.value, Mapping)]


def _interfaces(name: str, text: str) -> dict[str, Interface]:
    return {tool.name: tool.interface for tool in load({}, {name: text, **_sets_beside(name, text)}).tools}


def _sets_beside(name: str, text: str) -> dict[str, str]:
    """The descriptor sets that the documents of a file name, as far as they are there, as `load` takes them."""
    names = {
        str(document.value["descriptor_set"])
        for document in read_source(name, text)[0]
        if isinstance(document.value, Mapping) and "descriptor_set" in document.value
    }
    paths = {path_beside(name, entry) for entry in names}
    return {
        path: text_of(Path(path).read_bytes())
        for path in paths
        if is_binary(path) and Path(path).is_file() and Path(path).stat().st_size <= MOST_BYTES
    }


def write_entry(tool: str, text: str, folder: Path) -> Path:
    """Write an entry into a folder of tools; nothing that is there is overwritten. Raises Unable."""
    path = folder / f"{tool}.yaml"
    return _written(path, text.encode("utf-8"), f"compare with --out - | aegis tools diff {path} -")


def write_descriptors(entry: DescriptorEntry, folder: Path) -> Path:
    """Write the descriptor set of an entry beside it; nothing that is there is overwritten. Raises Unable."""
    return _written(folder / entry.file, entry.content, "take it away to have it written anew")


def _written(path: Path, content: bytes, hint: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Unable(f"{path} is there already, and nothing is overwritten: {hint}") from None
    return path


class _OneLine(dict[str, Json]):
    """A mapping that is written on one line."""


class _Layout(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # which of the two is there
    """YAML with a line for each parameter."""

    def ignore_aliases(self, data: object) -> bool:  # as PyYAML calls it
        """What is written twice is written out twice: catalogues have no aliases."""
        return True


_Layout.add_representer(
    _OneLine, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)


def _laid_out(value: Json, depth: int = 0) -> Json:
    if not isinstance(value, Mapping):
        return value
    laid_out = {name: _laid_out(member, depth + 1) for name, member in value.items()}
    is_parameter = depth == _PARAMETER_DEPTH and not laid_out.keys().isdisjoint(("from", "type"))
    return _OneLine(laid_out) if is_parameter else laid_out


def _content(source: str) -> bytes:
    if not source.startswith(("http://", "https://")):
        path = Path(source)
        if path.stat().st_size > MOST_BYTES:
            raise Unable(f"{source} is larger than {MOST_BYTES // 2**20} MiB")
        return path.read_bytes()
    content = bytearray()
    try:
        with httpx.stream("GET", source, timeout=_SECONDS, follow_redirects=True) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise Unable(f"{source} is larger than {MOST_BYTES // 2**20} MiB")
    except httpx.HTTPError as fault:
        raise Unable(f"{source} cannot be read: {str(fault) or type(fault).__name__}") from None
    return bytes(content)
