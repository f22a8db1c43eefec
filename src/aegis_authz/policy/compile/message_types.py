"""What the authorizer must know of the messages that the methods of a tool are sent, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from aegis_authz.core.interface import FieldKind, MessageField, MessageType, Presence
from aegis_authz.policy.compile.descriptors import DescriptorsUnusable
from aegis_authz.policy.source.problems import quoted

MOST_FIELDS = 10_000
"""Fields and values of enumerations of all messages of a tool: they are part of every bundle."""

_KINDS: Mapping[int, FieldKind] = MappingProxyType(
    {
        FieldDescriptor.TYPE_INT32: FieldKind.INT32,
        FieldDescriptor.TYPE_INT64: FieldKind.INT64,
        FieldDescriptor.TYPE_UINT32: FieldKind.UINT32,
        FieldDescriptor.TYPE_UINT64: FieldKind.UINT64,
        FieldDescriptor.TYPE_SINT32: FieldKind.SINT32,
        FieldDescriptor.TYPE_SINT64: FieldKind.SINT64,
        FieldDescriptor.TYPE_FIXED32: FieldKind.FIXED32,
        FieldDescriptor.TYPE_FIXED64: FieldKind.FIXED64,
        FieldDescriptor.TYPE_SFIXED32: FieldKind.SFIXED32,
        FieldDescriptor.TYPE_SFIXED64: FieldKind.SFIXED64,
        FieldDescriptor.TYPE_BOOL: FieldKind.BOOL,
        FieldDescriptor.TYPE_FLOAT: FieldKind.FLOAT,
        FieldDescriptor.TYPE_DOUBLE: FieldKind.DOUBLE,
        FieldDescriptor.TYPE_STRING: FieldKind.STRING,
        FieldDescriptor.TYPE_BYTES: FieldKind.BYTES,
        FieldDescriptor.TYPE_ENUM: FieldKind.ENUM,
        FieldDescriptor.TYPE_MESSAGE: FieldKind.MESSAGE,
    }
)
"""By type of a descriptor. Groups are not read: a field of this kind is one that nobody knows."""

_SPECIAL: Mapping[str, Descriptor] = MappingProxyType(
    {
        message.full_name: message
        for module in (timestamp_pb2, duration_pb2, struct_pb2, wrappers_pb2)
        for message in module.DESCRIPTOR.message_types_by_name.values()
    }
)
"""The messages that are read as JSON forms of their own, as they must be."""


def types_of(
    requests: Iterable[Descriptor],
) -> tuple[Mapping[str, MessageType], Mapping[str, Mapping[int, str]]]:
    """The types of these messages and of all that stands in them, and the enumerations.

    Raises DescriptorsUnusable for more than `MOST_FIELDS`, and for a well-known type of another shape.
    """
    messages: dict[str, MessageType] = {}
    enums: dict[str, Mapping[int, str]] = {}
    left = MOST_FIELDS
    waiting = [*requests]
    while waiting:
        message = waiting.pop()
        if message.full_name in messages:
            continue
        _check_special(message)
        messages[message.full_name] = _message_type(message)
        left -= len(message.fields) + 1
        for field in message.fields:
            if field.type not in _KINDS:
                continue
            if field.message_type is not None:
                waiting.append(field.message_type)
            elif field.enum_type is not None and field.enum_type.full_name not in enums:
                enums[field.enum_type.full_name] = _labels(field.enum_type)
                left -= len(field.enum_type.values)
        if left < 0:
            raise DescriptorsUnusable(
                f"has more than {MOST_FIELDS} fields and values in what these actions are sent; "
                "leave actions out, or put them into several tools"
            )
    return messages, enums


def _message_type(message: Descriptor) -> MessageType:
    is_entry = message.GetOptions().map_entry
    return MessageType({field.number: _field(field, is_entry) for field in message.fields if field.type in _KINDS})


def _field(field: FieldDescriptor, is_entry: bool) -> MessageField:
    type_of_values = field.message_type or field.enum_type
    choice = field.containing_oneof
    return MessageField(
        name=field.name,
        kind=_KINDS[field.type],
        presence=_presence_in_entry(field) if is_entry else presence_of(field),
        type="" if type_of_values is None else type_of_values.full_name,
        choice="" if choice is None else choice.name,
    )


def presence_of(field: FieldDescriptor) -> Presence:
    """How often a field may stand."""
    if field.is_repeated:
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        return Presence.MAP if is_map else Presence.LIST
    if field.is_required:
        return Presence.REQUIRED
    return Presence.OPTIONAL if field.has_presence else Presence.IMPLICIT


def _presence_in_entry(field: FieldDescriptor) -> Presence:
    """Both halves of an entry have a value when they are not sent; protobuf takes no enumeration without zero here."""
    return Presence.IMPLICIT if field.message_type is None else Presence.OPTIONAL


def _labels(enum: EnumDescriptor) -> Mapping[int, str]:
    labels: dict[int, str] = {}
    for value in enum.values:
        labels.setdefault(value.number, value.name)
    return labels


def _check_special(message: Descriptor) -> None:
    real = _SPECIAL.get(message.full_name)
    if real is not None and _shape(message) != _shape(real):
        raise DescriptorsUnusable(f"has another {quoted(message.full_name)} than protobuf")


def _shape(message: Descriptor) -> list[tuple[object, ...]]:
    return [
        (
            field.number,
            field.name,
            field.type,
            presence_of(field),
            None if field.message_type is None else field.message_type.full_name,
            None if field.enum_type is None else field.enum_type.full_name,
        )
        for field in message.fields
    ]
