"""GraphQL: what a document asks of which fields, with which arguments (GraphQL October 2021; GraphQL over HTTP).

The names of variables are the caller's own, so what a field really gets is told by field and argument: `arguments`
holds literals and variables alike, by the path of the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.graphql_document import Document, Literal, Use, Variable, malformed, read_document

GRAPHQL_FACTS = frozenset({"operation", "name", "fields", "selections", "variables"})
_MEMBERS = ("query", "variables", "operationName")
OPERATION_MEMBERS = frozenset((*_MEMBERS, "extensions"))
MAX_ARGUMENTS = 1024 * 1024
"""Bytes of all arguments as JSON: one variable may be what many fields get."""
_ABSENT = object()


def read_graphql(request: Json, is_get: bool) -> dict[str, Json]:
    """The operation of a request, a JSON object or the parameters of a query, as parameters.

    `operation` is its kind, `name` its name, `fields` its root fields, `selections` the paths of all fields,
    `arguments`, where there are any, what the fields at those paths get, `variables` what was sent as such.
    Raises Refused(GRAPHQL_MALFORMED) for batches, persisted queries, several operations and whatever servers execute
    differently.
    """
    if isinstance(request, list):
        raise malformed("", "Several operations are sent as a batch. Send them one by one.")
    if not isinstance(request, Mapping):
        raise malformed("", "A GraphQL request is a JSON object with the member query.")
    _refuse_other_members(request)
    query, name = request.get("query"), request.get("operationName")
    if not isinstance(query, str):
        raise malformed("query", "The member query must be the text of the operation.")
    document = read_document(query)
    if name not in (None, "") and name != document.name:
        raise malformed("operationName", "operationName is not the name of the operation.")
    if is_get and document.operation != "query":
        raise malformed("query", f"A {document.operation} must be sent by POST.")
    variables = _variables(request.get("variables"), document)
    arguments = _arguments(document, variables)
    return {
        "operation": document.operation,
        "name": document.name,
        "fields": list(document.fields),
        "selections": list(document.selections),
        "variables": dict(variables),
        **({"arguments": arguments} if arguments else {}),
    }


def _refuse_other_members(request: Mapping[str, Json]) -> None:
    extensions = request.get("extensions")
    if isinstance(extensions, Mapping) and "persistedQuery" in extensions:
        raise malformed("extensions", "A persisted query is named by its hash: it cannot be judged. Send its text.")
    others = [name for name in request if name not in _MEMBERS and request[name] is not None]
    if others:
        problem = f"A GraphQL request has query, variables and operationName alone, and not {quoted(others[0])}."
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
    arguments: dict[str, Json] = {}
    size = 0
    for use in document.uses:
        values = _values(use, document, variables)
        if values:
            arguments[use.path] = values
            size += len(use.path) + len(orjson.dumps(values))
            if size > MAX_ARGUMENTS:
                raise malformed("query", f"The arguments of all fields are more than {MAX_ARGUMENTS} bytes together.")
    return arguments


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
