"""What is known of the messages that a tool's methods are called with: the shape by which their bytes are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


class FieldKind(Enum):
    """How a value is written on the wire (Protocol Buffers, "Encoding")."""

    INT32 = "int32"
    INT64 = "int64"
    UINT32 = "uint32"
    UINT64 = "uint64"
    SINT32 = "sint32"
    SINT64 = "sint64"
    FIXED32 = "fixed32"
    FIXED64 = "fixed64"
    SFIXED32 = "sfixed32"
    SFIXED64 = "sfixed64"
    BOOL = "bool"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BYTES = "bytes"
    ENUM = "enum"
    MESSAGE = "message"


class Presence(Enum):
    """How often a field stands in a message, and what it is where it does not."""

    OPTIONAL = "optional"  # once or not at all, which a reader tells apart
    IMPLICIT = "implicit"  # once, or it has the value that is zero for its kind
    REQUIRED = "required"
    LIST = "list"
    MAP = "map"  # a list of entries, each a message of a key and a value


class Sending(Enum):
    """What a caller may send to a method."""

    MESSAGE = "message"  # one, which is judged
    STREAM = "stream"  # several: calls are refused
    OPAQUE = "opaque"  # several, of which nobody judges any


@dataclass(frozen=True, slots=True)
class MessageField:
    """A field. `type` names the message or enumeration of its values, "" for other kinds.

    `choice` names the oneof of which at most one field may stand in a message, "" for none.
    """

    name: str
    kind: FieldKind
    presence: Presence
    type: str
    choice: str


@dataclass(frozen=True, slots=True)
class MessageType:
    """The fields of a message, by number."""

    fields: Mapping[int, MessageField]

    absent: Mapping[str, MessageField] = field(init=False, repr=False, compare=False)
    """The fields that have a value also where they are not sent, by name."""
    required: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        valued = (Presence.IMPLICIT, Presence.LIST, Presence.MAP)
        fields = self.fields.values()
        object.__setattr__(self, "absent", {entry.name: entry for entry in fields if entry.presence in valued})
        names = (entry.name for entry in fields if entry.presence is Presence.REQUIRED)
        object.__setattr__(self, "required", tuple(names))


@dataclass(frozen=True, slots=True)
class Method:
    """What is sent to the method of an action; `request` names the type of a message, "" where none is known."""

    sending: Sending
    request: str


@dataclass(frozen=True, slots=True)
class Interface:
    """The methods of a tool, by action, and the types of what they are sent, by full name.

    `enums` has the names of each enumeration by number, the first name where a number has several.
    """

    methods: Mapping[str, Method]
    messages: Mapping[str, MessageType]
    enums: Mapping[str, Mapping[int, str]]

    def streams(self, action: str) -> bool:
        """Whether calls of an action are judged before their messages are sent."""
        method = self.methods.get(action)
        return method is not None and method.sending is not Sending.MESSAGE


NO_INTERFACE = Interface(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))
