"""GraphQL documents that a request names instead of sending: by hash (Apollo), or by id (Relay, GraphQL over HTTP).

Of an operation that is named, the tool runs what it knows under that name. What it is, the catalogue says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aegis_authz.core.catalogue import OperationTerms
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.graphql_document import malformed

DOCUMENT_IDS = ("id", "doc_id", "documentId")
"""Members that name a document: of Relay's clients, of those of Meta, and of GraphQL over HTTP (appendix B)."""
_EXTENSIONS = "extensions"
_PERSISTED = "persistedQuery"
_APOLLO = {"version", "sha256Hash"}


def document_text(request: Mapping[str, Json], terms: OperationTerms) -> tuple[str, str]:
    """The text of the document that will run, and the id by which it is named, "" where it is sent.

    Raises Refused(OPERATION_UNLISTED) for one that is not listed and must be, Refused(GRAPHQL_MALFORMED) where a
    request names several documents, or one and sends another.
    """
    query = request.get("query")
    if query is not None and not isinstance(query, str):
        raise malformed("query", "The member query must be the text of the operation.")
    ids = _ids(request) if terms.has_persisted else {}
    if not ids:
        if query is None:
            raise malformed("query", "The member query must be the text of the operation.")
        if not terms.texts and query not in terms.persisted.values():
            raise _unlisted("query", "The operation is none of those that are listed here, and no other passes.")
        return query, ""
    if len(ids) > 1:
        raise malformed(next(iter(ids)), f"The request names a document by {' and by '.join(ids)}. Name it once.")
    ((member, document_id),) = ids.items()
    text = terms.persisted.get(document_id)
    if text is None:
        raise _unlisted(member, f"The document {quoted(document_id)} is none of those that are listed here.")
    if member == _EXTENSIONS and hashlib.sha256(text.encode("utf-8")).hexdigest() != document_id:
        raise _unlisted(member, f"The hash {quoted(document_id)} is not that of the document listed under it.")
    if query is not None and query != text:
        raise malformed(
            "query", f"The text in query is not that of the document {quoted(document_id)}. Send one of them."
        )
    return text, document_id


def _ids(request: Mapping[str, Json]) -> dict[str, str]:
    """The ids by the member that each stands in."""
    ids: dict[str, str] = {}
    for member in DOCUMENT_IDS:
        document_id = request.get(member)
        if document_id is not None:
            if not isinstance(document_id, str) or not document_id:
                raise malformed(member, f"The member {member} must be the id of a document, as a text.")
            ids[member] = document_id
    extensions = request.get(_EXTENSIONS)
    if extensions is not None:
        ids[_EXTENSIONS] = _hash(extensions)
    return ids


def _hash(extensions: Json) -> str:
    entry = extensions.get(_PERSISTED) if isinstance(extensions, Mapping) else None
    if not isinstance(extensions, Mapping) or extensions.keys() != {_PERSISTED} or not isinstance(entry, Mapping):
        problem = f"The member {_EXTENSIONS} may hold {_PERSISTED} alone."
        raise Refused(Reason.PARAMETER_UNKNOWN, "an extension of GraphQL", Fault("body", _EXTENSIONS, problem))
    version, sha256 = entry.get("version"), entry.get("sha256Hash")
    if entry.keys() != _APOLLO or isinstance(version, bool) or version != 1 or not isinstance(sha256, str):
        raise malformed(_PERSISTED, f"{_PERSISTED} must hold version 1 and sha256Hash, and nothing else.")
    return sha256


def _unlisted(at: str, problem: str) -> Refused:
    return Refused(Reason.OPERATION_UNLISTED, "a document of GraphQL that is not listed", Fault("body", at, problem))
