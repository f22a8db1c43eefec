"""Lists of persisted documents as clients of GraphQL make them when they are built: what of them a catalogue may list.

Source: the manifest of Apollo Client (`apollo-persisted-query-manifest`, version 1), and the mapping of ids to texts
that Relay's compiler and GraphQL Code Generator write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.policy.graphql_schema import SchemaUnusable
from aegis_authz.policy.language.graphql import MOST_DOCUMENTS, check_document

_APOLLO = "apollo-persisted-query-manifest"


@dataclass(frozen=True, slots=True)
class PersistedDocuments:
    """Documents by their ids, and what of a list is left out, a sentence each."""

    documents: Mapping[str, str]
    gaps: tuple[str, ...]


def persisted_documents(text: str) -> PersistedDocuments:
    """The documents of a list that a catalogue takes. Raises SchemaUnusable for no list, and where none is left."""
    documents: dict[str, str] = {}
    gaps: list[str] = []
    for document_id, document in _pairs(text):
        if document_id in documents and documents[document_id] != document:
            raise SchemaUnusable(f"the list of documents has {document_id!r} twice")
        try:
            check_document(document_id, document)
        except ValueError as fault:
            gaps.append(f"left out: {fault}")
            continue
        documents[document_id] = document
    if not documents:
        raise SchemaUnusable("the list of documents has none that a catalogue takes" + (f": {gaps[0]}" if gaps else ""))
    if len(documents) > MOST_DOCUMENTS:
        raise SchemaUnusable(f"the list has {len(documents)} documents, and an action may have {MOST_DOCUMENTS}")
    return PersistedDocuments(documents, tuple(gaps))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    try:
        listed = json.loads(text, object_pairs_hook=_members)
        if isinstance(listed, dict) and listed.get("format") == _APOLLO:
            pairs = [(entry["id"], entry["body"]) for entry in listed["operations"]]
        elif isinstance(listed, dict):
            pairs = list(listed.items())
        else:
            raise SchemaUnusable("the list of documents is neither Apollo's manifest nor a mapping of ids to texts")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SchemaUnusable("the list of documents is no JSON of Apollo's manifest or of ids and texts") from None
    for document_id, document in pairs:
        if not isinstance(document_id, str) or not document_id or not isinstance(document, str):
            raise SchemaUnusable("the list of documents holds something else than ids and texts")
        yield document_id, document


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON. Raises SchemaUnusable where it names a member twice."""
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise SchemaUnusable(f"the list of documents has {name!r} twice")
        names.add(name)
    return dict(pairs)
