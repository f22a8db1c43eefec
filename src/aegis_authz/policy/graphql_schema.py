"""A catalogue entry from the schema of a GraphQL API: its root fields, and what each may be given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    build_schema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_object_type,
)

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.pointer import escaped
from aegis_authz.policy.openapi.schemas import ANY_KIND

_KINDS = {"Int": "integer", "Float": "number", "String": "string", "ID": "string", "Boolean": "boolean"}
_MOST_EXAMPLES = 5


class SchemaUnusable(Exception):
    """A text is no schema of GraphQL, or none of its fields was chosen; the message says which."""


@dataclass(frozen=True, slots=True)
class GraphqlEntry:
    """A catalogue entry of one action, and what of the schema it leaves out, a sentence each."""

    tool: str
    document: Mapping[str, Json]
    gaps: tuple[str, ...]


def graphql_entry(
    text: str, tool: str, host: str, path: str, owner: str, only: Sequence[str], persisted: Mapping[str, str]
) -> GraphqlEntry:
    """The entry of a schema: in its own language, or the answer to an introspection query as JSON.

    `only` are globs of root fields, empty for all; `persisted` are documents by their ids, which then pass alone.
    Raises SchemaUnusable.
    """
    schema = _schema(text)
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root is not None]
    fields = [(name, field) for root in roots for name, field in root.fields.items() if _is_chosen(name, only)]
    if not fields:
        raise SchemaUnusable("no root field has the names that were asked for")
    parameters: dict[str, Json] = {
        "operation": {"from": "/operation", "type": "string"},
        "fields": {"from": "/fields", "type": "array"},
    }
    gaps = [*_left_out(roots, only)]
    for field, definition in fields:
        for name, argument in definition.args.items():
            at, kind = f"/arguments/{escaped(field)}/{escaped(name)}", _kind(argument)
            entry: dict[str, Json] = {"from": at, "type": kind}
            if parameters.setdefault(f"{field}.{name}", entry) != entry:
                parameters[f"{field}.{name}"] = {"from": at, "type": ANY_KIND}
                gaps.append(f"{field}.{name} has another type in another root: it is taken over as any")
    document: dict[str, Json] = {"tool": tool, "host": host}
    document |= {"owner": owner} if owner else {}
    terms: dict[str, Json] = {"graphql": {"texts": "refuse", "persisted": dict(persisted)}} if persisted else {}
    action: dict[str, Json] = {"match": f"POST {path}", "body": "graphql", **terms, "parameters": parameters}
    return GraphqlEntry(tool, document | {"actions": {"graphql": action}}, (*gaps, *_nested(schema, roots)))


def _is_chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(name, glob) for glob in only)


def _schema(text: str) -> GraphQLSchema:
    try:
        if text.lstrip().startswith("{"):
            document = json.loads(text)
            introspection = document.get("data", document)
            return build_client_schema(introspection)
        return build_schema(text)
    except (GraphQLError, TypeError, ValueError, AttributeError, KeyError) as fault:
        message = re.sub(r"\s+", " ", str(fault)).strip()
        raise SchemaUnusable(f"it is no schema of GraphQL: {message[:200]}") from None


def _kind(argument: GraphQLArgument) -> str:
    """The type of an argument in a call; one that may be null is absent or of its type."""
    plain = get_nullable_type(argument.type)
    if is_list_type(plain):
        return "array"
    name = get_named_type(plain).name
    if name in _KINDS:
        return _KINDS[name]
    return {"GraphQLEnumType": "string", "GraphQLInputObjectType": "object"}.get(type(plain).__name__, ANY_KIND)


def _left_out(roots: Sequence[GraphQLObjectType], only: Sequence[str]) -> Iterator[str]:
    """What of the roots was not asked for, and what was asked for in vain."""
    names = {name for root in roots for name in root.fields}
    for glob in only:
        if not any(fnmatchcase(name, glob) for name in names):
            yield f"no root field has the name {glob!r} that was asked for"
    rest = sorted(name for name in names if not _is_chosen(name, only))
    if rest:
        yield (
            f"{_counted(rest, 'root field')} not asked for: arguments there are refused, "
            f"and calls without any pass unless rules say which fields may: {_examples(rest)}"
        )


def _nested(schema: GraphQLSchema, roots: Sequence[GraphQLObjectType]) -> Iterator[str]:
    names = {root.name for root in roots}
    nested = sorted(
        f"{kind.name}.{field}"
        for kind in schema.type_map.values()
        if is_object_type(kind) and kind.name not in names and not kind.name.startswith("__")
        for field, definition in kind.fields.items()
        if definition.args
    )
    if nested:
        yield (
            f"{len(nested)} fields below the root take arguments, which are refused until they are listed "
            f"(/arguments/PATH.TO.FIELD/NAME): {_examples(nested)}"
        )


def _counted(names: Sequence[str], noun: str) -> str:
    return f"1 {noun} was" if len(names) == 1 else f"{len(names)} {noun}s were"


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_EXAMPLES]) + (", ..." if len(names) > _MOST_EXAMPLES else "")
