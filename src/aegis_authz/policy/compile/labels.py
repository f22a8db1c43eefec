"""Values of enumerations of gRPC that rules name: those that a call is judged by, or none is ever met."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.catalogue import Parameter, ParameterSource, Tool
from aegis_authz.core.interface import FieldKind, Interface, Presence
from aegis_authz.core.json_value import Json
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.comparisons import Check, Fault
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.operators import OPERATORS, Operand
from aegis_authz.policy.source.problems import did_you_mean, quoted

_OF_PROTOBUF = "google.protobuf."
_SOME = "0"
"""A position in a list, of whose elements all are of one type."""


def label_faults(value: ValueConditions, tool: Tool, action: str) -> Iterator[Fault]:
    """Texts with which a value is compared that its enumeration does not have, or has as another name of a value."""
    method = tool.interface.methods.get(action)
    if method is None or not method.request or not value.path:
        return
    parameters = tool.parameters_of(action)
    places = [pointer.split(entry.at) for entry in parameters if _is_of_body(entry) and entry.name == value.path[0]]
    # where none is listed, fields are parameters by their own names
    for place in places if parameters else [value.path[:1]]:
        for check in value.checks:
            yield from _faults_of(check, value, (*place, *value.path[1:]), method.request, tool.interface)


def _is_of_body(parameter: Parameter) -> bool:
    return parameter.source is ParameterSource.BODY


def _faults_of(
    check: Check, value: ValueConditions, place: tuple[str, ...], request: str, interface: Interface
) -> Iterator[Fault]:
    for words, condition, limit in _compared(check):
        labels = _labels_at(interface, request, (*place, *words))
        if labels is None or OPERATORS[condition].operand not in (Operand.SCALAR, Operand.SCALARS):
            continue
        for text in limit if isinstance(limit, list) else [limit]:
            if isinstance(text, str) and text not in labels:
                yield (
                    ("conditions", *(check.at or ())),
                    (
                        f"{quoted(text)} is no value by which {quoted(value.label)} is judged"
                        f"{did_you_mean(text, labels)}; of several names of a value it is the first"
                    ),
                )


def _compared(check: Check) -> Iterator[tuple[tuple[str, ...], str, Json]]:
    """Below which names what is compared, by which word, and with what: the value, or each element of a list."""
    if OPERATORS[check.condition].operand is not Operand.ELEMENTS:
        yield (), check.condition, check.limit
        return
    path, listed = check.compiled.get("path"), check.compiled.get("checks")
    words = [word for word in path if isinstance(word, str)] if isinstance(path, list) else []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry["condition"], str):
            yield (_SOME, *words), entry["condition"], entry["limit"]


def _labels_at(interface: Interface, request: str, names: tuple[str, ...]) -> frozenset[str] | None:
    """The values of the enumeration that stands at names that lead into a message, None where none stands there."""
    message, left = interface.messages.get(request), [*names]
    while message is not None and left:
        name = left.pop(0)
        field = next((entry for entry in message.fields.values() if entry.name == name), None)
        if field is not None and field.presence in (Presence.LIST, Presence.MAP):
            if not left:
                return None
            left.pop(0)
        if field is not None and field.presence is Presence.MAP:
            field = interface.messages[field.type].fields[2]
        if field is None:
            return None
        if field.kind is FieldKind.ENUM:
            return None if left else frozenset(interface.enums[field.type].values())
        # of protobuf's own messages most have a form of their own in JSON, and none holds an enumeration to judge by
        message = None if field.type.startswith(_OF_PROTOBUF) else interface.messages.get(field.type)
    return None
