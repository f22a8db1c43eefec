"""GraphQL: what a document asks of which fields, with which arguments (GraphQL October 2021; GraphQL over HTTP).

The names of variables are the caller's own, so what a field really gets is told by field and argument: `arguments`
holds literals and variables alike, by the path of the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from aegis_authz.core.catalogue import OperationTerms
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.bodies.graphql_batch import FEW_ARGUMENTS, MAX_ARGUMENTS, joined, too_many_arguments
from aegis_authz.wire.bodies.graphql_document import Document, Literal, Use, Variable, malformed, read_document
from aegis_authz.wire.bodies.persisted import DOCUMENT_IDS, document_text

GRAPHQL_FACTS = frozenset({"operation", "name", "fields", "selections", "variables", "operations", "persisted"})
_MEMBERS = ("query", "variables", "operationName")
OPERATION_MEMBERS = frozenset((*_MEMBERS, "extensions"))
_ABSENT = object()


def read_graphql(request: Json, is_get: bool, terms: OperationTerms) -> dict[str, Json]:
    """What a request asks for, a JSON value or the parameters of a query, as parameters.

    `operation` is its kind, `name` its name, `fields` its root fields, `selections` the paths of all fields,
    `arguments`, where there are any, what the fields at those paths get, `variables` what was sent as such,
    `persisted` the ids of documents that were named and not sent. Where `terms` take a list, `operations` is how many
    came, and of a list all is told as `joined` does. Raises Refused(GRAPHQL_MALFORMED) for whatever servers execute
    differently, and what `document_text` and `joined` raise.
    """
    ids: list[Json] = []
    if isinstance(request, list):
        if terms.batch == 1:
            raise malformed("", "Several operations are sent as a batch. Send them one by one.")
        if not 0 < len(request) <= terms.batch:
            raise malformed("", f"The batch holds {len(request)} operations. This action takes 1 to {terms.batch}.")
        value: dict[str, Json] = joined(_operation(part, is_get, terms, ids) for part in request)
    else:
        value, _ = _operation(request, is_get, terms, ids)
        if terms.batch > 1:
            value["operations"] = 1
    if ids:
        value["persisted"] = ids
    return value


def _operation(request: Json, is_get: bool, terms: OperationTerms, ids: list[Json]) -> tuple[dict[str, Json], int]:
    """What one operation asks for, and the tokens of its document; the id by which it was named is added to `ids`."""
    if not isinstance(request, Mapping):
        raise malformed("", "A GraphQL request is a JSON object with the member query.")
    _refuse_other_members(request, terms)
    text, document_id = document_text(request, terms)
    if document_id:
        ids.append(document_id)
    document = read_document(text)
    name = request.get("operationName")
    if name not in (None, "") and name != document.name:
        raise malformed("operationName", "operationName is not the name of the operation.")
    if is_get and document.operation != "query":
        raise malformed("query", f"A {document.operation} must be sent by POST.")
    variables = _variables(request.get("variables"), document)
    arguments = _arguments(document, variables)
    operation: dict[str, Json] = {
        "operation": document.operation,
        "name": document.name,
        "fields": list(document.fields),
        "selections": list(document.selections),
        "variables": dict(variables),
        **({"arguments": arguments} if arguments else {}),
    }
    return operation, document.tokens


def _refuse_other_members(request: Mapping[str, Json], terms: OperationTerms) -> None:
    extensions = request.get("extensions")
    if not terms.has_persisted and isinstance(extensions, Mapping) and "persistedQuery" in extensions:
        raise malformed("extensions", "A persisted query is named by its hash: it cannot be judged. Send its text.")
    members = (*_MEMBERS, "extensions", *DOCUMENT_IDS) if terms.has_persisted else _MEMBERS
    others = [name for name in request if name not in members and request[name] is not None]
    if others:
        problem = f"A GraphQL request has {', '.join(members)} alone, and not {quoted(others[0])}."
        raise Refused(Reason.PARAMETER_UNKNOWN, "a member beside those of GraphQL", Fault("body", others[0], problem))


def _variables(sent: Json, document: Document) -> Mapping[str, Json]:
    if sent is None:
        return {}
    if not isinstance(sent, Mapping):
        raise malformed("variables", "The member variables must be an object.")
    stray = next((name for name in sent if name not in document.variables), None)
    if stray is not None:
        problem = f"The variable {quoted(stray)} is not declared by the operation, or used by none of its fields."
        raise malformed(stray, problem)
    return sent


def _arguments(document: Document, variables: Mapping[str, Json]) -> dict[str, Json]:
    bulks = {name: _bulk_of(name, document, variables) for name in document.variables}
    arguments: dict[str, Json] = {}
    size = 0
    for use in document.uses:
        # told before it is written out: a list may name one variable a hundred times
        if sum(_bulk(literal, bulks) for _, literal in use.arguments) > MAX_ARGUMENTS:
            raise too_many_arguments("all fields")
        values = _values(use, document, variables)
        if values:
            arguments[use.path] = values
            size += len(use.path) + len(orjson.dumps(values))
            if size > MAX_ARGUMENTS:
                raise too_many_arguments("all fields")
    if size > FEW_ARGUMENTS and strict_json.is_too_dense(arguments):
        raise too_many_arguments("all fields")
    return arguments


def _bulk_of(name: str, document: Document, variables: Mapping[str, Json]) -> int:
    """The bytes of a variable's value as JSON."""
    value = _value(Variable(name), document, variables)
    return 0 if value is _ABSENT else len(orjson.dumps(value))


def _bulk(literal: Literal, bulks: Mapping[str, int]) -> int:
    """The bytes of what stands in a literal for its variables."""
    match literal:
        case Variable(name):
            return bulks[name]
        case tuple():
            return sum(_bulk(member, bulks) for _, member in literal)
        case list():
            return sum(_bulk(element, bulks) for element in literal)
        case _:
            return 0


def _values(use: Use, document: Document, variables: Mapping[str, Json]) -> dict[str, Json]:
    values = ((name, _value(literal, document, variables)) for name, literal in use.arguments)
    return {name: cast(Json, value) for name, value in values if value is not _ABSENT}


def _value(literal: Literal, document: Document, variables: Mapping[str, Json]) -> object:
    """What a field gets for a literal; `_ABSENT` for a variable that was not sent and has no default."""
    match literal:
        case Variable(name):
            if name in variables:
                return variables[name]
            default = document.variables[name]
            return _ABSENT if default is None else _value(default.literal, document, variables)
        case tuple():
            members = ((name, _value(member, document, variables)) for name, member in literal)
            return {name: value for name, value in members if value is not _ABSENT}
        case list():
            elements = (_value(element, document, variables) for element in literal)
            return [None if element is _ABSENT else element for element in elements]
        case _:
            return literal
