"""Where in a message a parameter of the catalogue is taken from, and of which type it can be."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf import wrappers_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from aegis_authz.core.interface import Presence
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.descriptors import DescriptorsUnusable
from aegis_authz.policy.compile.message_types import presence_of
from aegis_authz.policy.source.problems import did_you_mean, quoted

ANY_KIND = "any"

_INTEGERS = frozenset(getattr(FieldDescriptor, f"CPPTYPE_{name}") for name in ("INT32", "INT64", "UINT32", "UINT64"))
_NUMBERS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "google.protobuf.Timestamp": "string",
        "google.protobuf.Duration": "string",
        "google.protobuf.Struct": "object",
        "google.protobuf.ListValue": "array",
        "google.protobuf.Value": ANY_KIND,
    }
)
_OPEN = ("google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Value")
_WRAPPERS = frozenset(message.full_name for message in wrappers_pb2.DESCRIPTOR.message_types_by_name.values())


def element_kind_of(field: FieldDescriptor) -> str:
    """The type of one value of a field as a catalogue names it."""
    message = field.message_type
    if message is not None:
        if message.full_name in _FORMS:
            return _FORMS[message.full_name]
        is_wrapper = message.full_name in _WRAPPERS
        return element_kind_of(message.fields_by_name["value"]) if is_wrapper else "object"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return "object"  # what is said of them
    if field.cpp_type in _INTEGERS:
        return "integer"
    if field.cpp_type in _NUMBERS:
        return "number"
    return "boolean" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "string"


def kind_of(field: FieldDescriptor) -> str:
    """The type of a field as a catalogue names it."""
    kinds = {Presence.LIST: "array", Presence.MAP: "object"}
    return kinds.get(presence_of(field)) or element_kind_of(field)


def kind_at(message: Descriptor, at: str) -> tuple[str, str]:
    """The type of what stands at a pointer into a message, and of its elements where it is a list, else "".

    Raises DescriptorsUnusable where nothing can stand there that is told apart.
    """
    return _kind_of_path(message, pointer.split(at))


def _kind_of_path(message: Descriptor, names: tuple[str, ...]) -> tuple[str, str]:
    name, *rest = names
    field = message.fields_by_name.get(name)
    if field is None:
        hint = did_you_mean(name, message.fields_by_name)
        raise DescriptorsUnusable(f"{quoted(message.full_name)} has no field {quoted(name)}{hint}")
    if field.type == FieldDescriptor.TYPE_GROUP:
        raise DescriptorsUnusable(f"{quoted(name)} is a group, which is not read")
    presence = presence_of(field)
    if not rest:
        return kind_of(field), element_kind_of(field) if presence is Presence.LIST else ""
    if presence is Presence.MAP and field.message_type is not None:
        if len(rest) > 1:
            raise DescriptorsUnusable(f"{quoted(name)} is a map: take an entry as a whole")
        return element_kind_of(field.message_type.fields_by_name["value"]), ""
    if presence is Presence.LIST:
        position, *rest = rest
        if not (position.isascii() and position.isdecimal()):
            raise DescriptorsUnusable(f"{quoted(name)} is a list, of which {quoted(position)} is no position")
        if not rest:
            return element_kind_of(field), ""
    return _kind_below(field, tuple(rest))


def _kind_below(field: FieldDescriptor, names: tuple[str, ...]) -> tuple[str, str]:
    message = field.message_type
    if message is not None and message.full_name in _OPEN:
        return ANY_KIND, ""
    if message is None or message.full_name in _FORMS or message.full_name in _WRAPPERS:
        raise DescriptorsUnusable(f"{quoted(field.name)} has no fields that are told apart: take it as a whole")
    return _kind_of_path(message, names)
