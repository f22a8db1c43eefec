"""How the most liberal readers in use understand a request, so that what they read can be held against what was judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from graphql import FieldNode, OperationDefinitionNode, parse, value_from_ast_untyped

from aegis_authz.core.catalogue import Action, BodyFormat, Parameter, ParameterSource
from aegis_authz.core.json_value import Json
from aegis_authz.core.path_template import read_template
from aegis_authz.encoding.pointer import split
from tests.differential.recorders import Receipt

ABSENT = object()


def differences(action: Action, judged: Mapping[str, Json], receipt: Receipt) -> Iterator[str]:
    """Each listed parameter that some reader takes for another value than the one that was judged."""
    for parameter in action.parameters:
        value = judged.get(parameter.name, ABSENT)
        for reader, reading in _readings(parameter, action, receipt):
            if not _same(value, reading):
                yield f"{parameter.name} was judged as {value!r}, and {reader} reads {reading!r}"


def _readings(parameter: Parameter, action: Action, receipt: Receipt) -> Iterator[tuple[str, object]]:
    path, _, query = receipt.target.partition("?")
    match parameter.source:
        case ParameterSource.QUERY:
            yield from _of_pairs(parse_qsl(query, keep_blank_values=True), parameter.at)
        case ParameterSource.HEADER:
            values = receipt.all(parameter.at)
            yield "a reader of headers", ", ".join(values) if values else ABSENT
        case ParameterSource.PATH:
            reading = read_template(action.template).match(path[1:].split("/"))
            yield "a reader of paths", ABSENT if reading is None else unquote(reading.variables[parameter.at])
        case ParameterSource.BODY:
            yield from _of_body(parameter, action, receipt)


def _of_body(parameter: Parameter, action: Action, receipt: Receipt) -> Iterator[tuple[str, object]]:
    if not receipt.body:
        return
    content_type = (receipt.all("content-type") or [""])[0]
    if BodyFormat.JSON in action.bodies and "json" in content_type:
        for reader, hook in (("the last wins", dict), ("the first wins", _first), ("case does not matter", _folded)):
            document = json.loads(receipt.body, object_pairs_hook=hook)
            names = split(parameter.at)
            yield reader, _below(document, [name.casefold() for name in names] if hook is _folded else names)
    elif BodyFormat.GRAPHQL in action.bodies:
        yield "a server of GraphQL", _of_operations(parameter.at, action, json.loads(receipt.body))
    elif BodyFormat.FORM in action.bodies:
        first, *rest = split(parameter.at)
        name = first + "".join(f"[{part}]" for part in rest)
        pairs = parse_qsl(receipt.body.decode(), keep_blank_values=True)
        if not any(key.startswith((f"{name}[", f"{name}%5B")) for key, _ in pairs):
            yield from _of_pairs(pairs, name)


def _of_operations(at: str, action: Action, document: Any) -> object:
    """What a server runs that has the listed documents, and that takes a batch operation by operation."""
    kinds, fields, amounts = set[str](), list[str](), list[object]()
    for request in document if isinstance(document, list) else [document]:
        persisted = request.get("extensions", {}).get("persistedQuery", {}).get("sha256Hash")
        ids = [request.get(name) for name in ("id", "doc_id", "documentId")]
        text = next((action.operations.persisted[name] for name in [persisted, *ids] if name), request.get("query"))
        (operation,) = parse(text).definitions
        assert isinstance(operation, OperationDefinitionNode)
        kinds.add(operation.operation.value)
        for field in operation.selection_set.selections:
            assert isinstance(field, FieldNode)
            fields.append(field.name.value)
            values = {argument.name.value: argument.value for argument in field.arguments or ()}
            if field.name.value == "pay":
                amounts.append(value_from_ast_untyped(values["amount"], request.get("variables")))
    if at == "/operation":
        return ", ".join(sorted(kinds))
    if at == "/fields":
        return list(dict.fromkeys(fields))
    return ABSENT if not amounts else amounts[0] if len(amounts) == 1 else amounts


def _of_pairs(pairs: list[tuple[str, str]], name: str) -> Iterator[tuple[str, object]]:
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        yield "a reader of lists", values
    else:
        yield "the last wins", values[-1] if values else ABSENT
    spelled = [value for key, value in pairs if unquote_plus(key).strip().casefold() == name and key != name]
    if spelled:
        yield "a reader for which case does not matter", spelled[0]


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name.casefold(): value for name, value in pairs}


def _below(document: object, names: list[str] | tuple[str, ...]) -> object:
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return ABSENT
        document = document[name]
    return document


def _same(judged: object, reading: object) -> bool:
    """Whether two values are one; what was typed by the catalogue may have been written as a text."""
    if judged is ABSENT or reading is ABSENT:
        return judged is reading
    if isinstance(reading, str) and not isinstance(judged, str):
        try:
            reading = json.loads(reading)
        except ValueError:
            return False
    if isinstance(judged, dict) or isinstance(reading, dict):
        return isinstance(judged, dict) and isinstance(reading, dict) and len(judged) == len(reading)
    if isinstance(judged, list | tuple) and not isinstance(reading, list):
        return list(judged) == [reading]
    return bool(judged == reading) and isinstance(judged, bool) == isinstance(reading, bool)
