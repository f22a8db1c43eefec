"""A descriptor set as protoc would write it, made without protoc, and the messages of its types."""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

SERVICE = "pay.v1.Payments"
REQUEST = "pay.v1.CreateRequest"

_IMPORTS = (duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_LIST = FieldDescriptorProto.LABEL_REPEATED
_PLAIN = ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64")
SCALARS = (*_PLAIN, "bool", "double", "float", "string", "bytes")


def add(message: DescriptorProto, name: str, number: int, kind: str, label: int = 1) -> FieldDescriptorProto:
    """Give a message a field: of a plain kind, or `.full.Name` of a message, or `enum .full.Name`."""
    field = message.field.add(name=name, number=number, label=label)
    word, _, type_name = kind.rpartition(" ")
    if not type_name.startswith("."):
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    else:
        field.type = FieldDescriptorProto.TYPE_ENUM if word else FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = type_name
    return field


def add_map(message: DescriptorProto, scope: str, name: str, number: int, key: str, value: str) -> None:
    """Give a message a map."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    add(entry, "key", 1, key)
    add(entry, "value", 2, value)
    add(message, name, number, f"{scope}.{entry.name}", _LIST)


def payments() -> FileDescriptorProto:
    """`pay/v1/payments.proto`: a service with a method of each kind, and a request with a field of each."""
    file = FileDescriptorProto(name="pay/v1/payments.proto", package="pay.v1", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _IMPORTS)
    kind = file.enum_type.add(name="Kind")
    kind.options.allow_alias = True
    for number, name in ((0, "KIND_UNSPECIFIED"), (1, "CARD"), (2, "CASH"), (2, "COINS"), (-3, "DEBT")):
        kind.value.add(name=name, number=number)
    payee = file.message_type.add(name="Payee")
    add(payee, "name", 1, "string")
    add(payee, "limit", 2, "int64")
    add(payee, "tags", 3, "string", _LIST)
    request = file.message_type.add(name="CreateRequest")
    add(request, "amount", 1, "int64")
    add(request, "currency", 2, "string")
    add(request, "kind", 3, "enum .pay.v1.Kind")
    add(request, "payee", 4, ".pay.v1.Payee")
    add(request, "payees", 5, ".pay.v1.Payee", _LIST)
    add_map(request, ".pay.v1.CreateRequest", "labels", 6, "string", "string")
    add_map(request, ".pay.v1.CreateRequest", "by_number", 7, "int32", ".pay.v1.Payee")
    add_map(request, ".pay.v1.CreateRequest", "by_truth", 8, "bool", "enum .pay.v1.Kind")
    request.oneof_decl.add(name="source")
    for number, name in ((9, "card"), (10, "account")):
        add(request, name, number, "string").oneof_index = 0
    add(request, "due", 11, ".google.protobuf.Timestamp")
    add(request, "wait", 12, ".google.protobuf.Duration")
    add(request, "meta", 13, ".google.protobuf.Struct")
    add(request, "extra", 14, ".google.protobuf.Value")
    add(request, "rows", 15, ".google.protobuf.ListValue")
    request.oneof_decl.add(name="_retries")
    retries = add(request, "retries", 16, "int32")
    retries.oneof_index, retries.proto3_optional = 1, True
    add(request, "kinds", 17, "enum .pay.v1.Kind", _LIST)
    add(request, "parent", 18, ".pay.v1.CreateRequest")
    add(request, "nothing", 19, ".google.protobuf.Empty")
    wrappers = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
    for number, name in enumerate(wrappers, 30):
        add(request, f"a_{name.lower()}", number, f".google.protobuf.{name}Value")
    for number, name in enumerate(SCALARS, 50):
        add(request, f"one_{name}", number, name)
        add(request, f"many_{name}", number + 30, name, _LIST)
    for number, name in enumerate(_PLAIN, 120):
        add(request, f"unpacked_{name}", number, name, _LIST).options.packed = False
    service = file.service.add(name="Payments")
    for name, sends, answers in (
        ("Create", False, False),
        ("Watch", False, True),
        ("Collect", True, False),
        ("Talk", True, True),
    ):
        method = service.method.add(name=name, input_type=".pay.v1.CreateRequest", output_type=".pay.v1.Payee")
        method.client_streaming, method.server_streaming = sends, answers
    return file


def legacy() -> FileDescriptorProto:
    """`pay/v0/legacy.proto`: what proto2 has besides: required fields, extensions, groups, closed enumerations."""
    file = FileDescriptorProto(name="pay/v0/legacy.proto", package="pay.v0", syntax="proto2")
    file.enum_type.add(name="Level").value.add(name="LOW", number=1)
    order = file.message_type.add(name="Order")
    add(order, "id", 1, "string", FieldDescriptorProto.LABEL_REQUIRED)
    add(order, "count", 2, "int32").default_value = "7"
    add(order, "level", 3, "enum .pay.v0.Level")
    order.nested_type.add(name="Old")
    group = add(order, "old", 4, ".pay.v0.Order.Old")
    group.type = FieldDescriptorProto.TYPE_GROUP
    add(order, "numbers", 5, "int32", _LIST)
    order.extension_range.add(start=100, end=200)
    add(file.message_type.add(name="Scope"), "nothing", 1, "bool")
    extension = file.extension.add(name="added", number=100, label=1, type=FieldDescriptorProto.TYPE_STRING)
    extension.extendee = ".pay.v0.Order"
    method = file.service.add(name="Orders").method.add(name="Place")
    method.input_type, method.output_type = ".pay.v0.Order", ".pay.v0.Order"
    return file


def descriptor_set(*files: FileDescriptorProto, imports: bool = True) -> bytes:
    """The set of these files; with `imports`, all that they need stands before them."""
    descriptors = FileDescriptorSet()
    for module in _IMPORTS if imports else ():
        module.DESCRIPTOR.CopyToProto(descriptors.file.add())
    descriptors.file.extend(files or (payments(), legacy()))
    content: bytes = descriptors.SerializeToString(deterministic=True)
    return content


def message_class(name: str) -> Any:
    """The class of a type of the whole set, as protobuf's own runtime makes it."""
    pool = descriptor_pool.DescriptorPool()
    for file in FileDescriptorSet.FromString(descriptor_set()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
