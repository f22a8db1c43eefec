"""What a catalogue says of operations of GraphQL: which documents may be named, and how many one request may hold."""

from __future__ import annotations

import hashlib
import re
from types import MappingProxyType
from typing import Annotated, Literal

from graphql import GraphQLError, OperationDefinitionNode, parse
from pydantic import Field, StringConstraints, model_validator

from aegis_authz.core.catalogue import MAX_DOCUMENT, MAX_TOKENS, ONE_OPERATION, OperationTerms
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import quoted

MOST_OPERATIONS = 50
"""Of a batch."""
MOST_DOCUMENTS = 2000
"""Of an action; a file, which is at most a MiB, bounds what they are together, and the bundle carries."""
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


class GraphqlEntry(Part):
    """In which ways operations of GraphQL may be sent to an action.

    `batch` is how many operations one request may hold, in a list. `persisted` are documents that a request may name
    by their ids instead of sending them; where `texts` is `refuse`, no others pass.
    """

    batch: Annotated[int, Field(ge=1, le=MOST_OPERATIONS)] = 1
    persisted: dict[Annotated[str, StringConstraints(min_length=1, max_length=256)], str] = Field(
        default_factory=dict, min_length=1, max_length=MOST_DOCUMENTS
    )
    texts: Literal["allow", "refuse"] = "allow"

    @model_validator(mode="after")
    def _documents_are_read(self) -> GraphqlEntry:
        if self.texts == "refuse" and not self.persisted:
            raise ValueError("texts: refuse lets no operation pass where none is listed under persisted")
        for document_id, text in self.persisted.items():
            check_document(document_id, text)
        return self


def check_document(document_id: str, text: str) -> None:
    """Whether a catalogue may list a document under an id. Raises ValueError, also for one that no call may name."""
    if len(text) > MAX_DOCUMENT:
        raise ValueError(f"the document {quoted(document_id)} has more than {MAX_DOCUMENT} characters")
    try:
        definitions = parse(text, no_location=True, max_tokens=MAX_TOKENS).definitions
    except (GraphQLError, RecursionError) as fault:
        reason = fault.message if isinstance(fault, GraphQLError) else "it is nested too deeply"
        raise ValueError(f"the document {quoted(document_id)} is no GraphQL: {reason}") from None
    operations = sum(isinstance(definition, OperationDefinitionNode) for definition in definitions)
    if operations != 1:
        raise ValueError(f"the document {quoted(document_id)} has {operations} operations, and must have one")
    hashed = _SHA256.match(document_id)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if hashed and hashed[1] != digest:
        raise ValueError(
            f"the id {quoted(document_id)} is not the SHA-256 of its document, which is {digest}: "
            "it is of the very text, white space and the last line's end included"
        )


def operation_terms(entry: GraphqlEntry | None) -> OperationTerms:
    """The core value of an entry, None for none."""
    if entry is None:
        return ONE_OPERATION
    return OperationTerms(entry.batch, MappingProxyType(dict(entry.persisted)), entry.texts == "allow")
