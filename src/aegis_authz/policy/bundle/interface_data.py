"""What is known of the messages of a tool as plain JSON inside a bundle, and back, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from aegis_authz.core.interface import FieldKind, Interface, MessageField, MessageType, Method, Presence, Sending
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import mapping, members, text

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_TYPED = (FieldKind.ENUM, FieldKind.MESSAGE)
_NUMBERS = range(1, 2**29)
_ENTRY = {1: "key", 2: "value"}


def interface_to_data(interface: Interface) -> Json:
    """An interface as JSON."""
    return {
        "methods": {
            action: {"sending": method.sending.value, "request": method.request}
            for action, method in interface.methods.items()
        },
        "messages": {name: _fields_to_data(message) for name, message in interface.messages.items()},
        "enums": {
            name: {str(number): label for number, label in labels.items()} for name, labels in interface.enums.items()
        },
    }


def interface_from_data(data: Json) -> Interface:
    """Read what `interface_to_data` wrote. Raises ValueError for anything else, types that are not there included."""
    parts = members(data, {"methods", "messages", "enums"}, "an interface")
    interface = Interface(
        _frozen({action: _method(method) for action, method in mapping(parts["methods"], "the methods").items()}),
        _frozen({name: _message(fields) for name, fields in mapping(parts["messages"], "the messages").items()}),
        _frozen({name: _enum(labels) for name, labels in mapping(parts["enums"], "the enumerations").items()}),
    )
    for method in interface.methods.values():
        if method.request and method.request not in interface.messages:
            raise ValueError(f"the message {method.request} of a method is not there")
    for message in interface.messages.values():
        for field in message.fields.values():
            _check_type(field, interface)
    return interface


def _check_type(field: MessageField, interface: Interface) -> None:
    if field.kind is FieldKind.ENUM and field.type not in interface.enums:
        raise ValueError(f"the enumeration {field.type} of a field is not there")
    if field.kind is FieldKind.ENUM and field.presence is Presence.IMPLICIT and 0 not in interface.enums[field.type]:
        raise ValueError(f"the enumeration {field.type} has no value for a field that is not sent")
    if field.kind is FieldKind.MESSAGE and field.type not in interface.messages:
        raise ValueError(f"the message {field.type} of a field is not there")
    if field.presence is Presence.MAP:
        entry = interface.messages.get(field.type)
        if entry is None or {number: part.name for number, part in entry.fields.items()} != _ENTRY:
            raise ValueError(f"the entries of the map {field.name} are not a key and a value")
        if any(part.presence is not Presence.IMPLICIT for part in entry.fields.values() if part.name == "key"):
            raise ValueError(f"the keys of the map {field.name} may be left out")


def _fields_to_data(message: MessageType) -> Json:
    return {
        str(number): {
            "name": field.name,
            "kind": field.kind.value,
            "presence": field.presence.value,
            "type": field.type,
            "choice": field.choice,
        }
        for number, field in message.fields.items()
    }


def _method(data: Json) -> Method:
    parts = members(data, {"sending", "request"}, "a method")
    return Method(Sending(text(parts["sending"], "sending")), text(parts["request"], "the request of a method"))


def _message(data: Json) -> MessageType:
    fields = {_number(number): _field(field) for number, field in mapping(data, "the fields of a message").items()}
    if not all(number in _NUMBERS for number in fields):
        raise ValueError("a field has a number that none can have")
    if len({field.name for field in fields.values()}) != len(fields):
        raise ValueError("a message has two fields of one name")
    return MessageType(_frozen(fields))


def _field(data: Json) -> MessageField:
    parts = members(data, {"name", "kind", "presence", "type", "choice"}, "a field of a message")
    field = MessageField(
        name=text(parts["name"], "a field's name"),
        kind=FieldKind(text(parts["kind"], "a field's kind")),
        presence=Presence(text(parts["presence"], "a field's presence")),
        type=text(parts["type"], "a field's type"),
        choice=text(parts["choice"], "a field's choice"),
    )
    if not field.name or bool(field.type) is not (field.kind in _TYPED):
        raise ValueError("a field has no name, or another type than its kind asks for")
    if field.presence is Presence.MAP and field.kind is not FieldKind.MESSAGE:
        raise ValueError("a map is of entries that are no messages")
    return field


def _enum(data: Json) -> Mapping[int, str]:
    labels = mapping(data, "the values of an enumeration")
    return _frozen({_number(number): text(label, "a value's name") for number, label in labels.items()})


def _number(label: str) -> int:
    number = int(label)
    if str(number) != label:
        raise ValueError(f"{label[:20]!r} is not a number as it is written here")
    return number


def _frozen(entries: dict[_Key, _Value]) -> Mapping[_Key, _Value]:
    return MappingProxyType(entries)
