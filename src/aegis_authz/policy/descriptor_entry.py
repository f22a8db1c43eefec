"""A catalogue entry from a descriptor set of gRPC: its methods, and the fields of what each is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from aegis_authz.core.interface import Presence
from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.descriptors import Descriptors, DescriptorsUnusable, read_descriptors
from aegis_authz.policy.compile.message_places import element_kind_of, kind_of
from aegis_authz.policy.compile.message_types import presence_of

_MOST_EXAMPLES = 5
_PLAIN = ("string", "number", "integer", "boolean")
_PACKED = "google.protobuf.Any"


@dataclass(frozen=True, slots=True)
class DescriptorEntry:
    """A catalogue entry, the descriptor set that it names, and what it leaves out, a sentence each.

    `content` is the set without what no action needs: files of services that were not chosen, and comments.
    """

    tool: str
    document: Mapping[str, Json]
    content: bytes
    gaps: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of the set's file, beside that of the entry."""
        return f"{self.tool}.binpb"


@dataclass(frozen=True, slots=True)
class DescriptorChoice:
    """What is wanted of a set: `only` are globs of `service/method`, empty for all; "" for what is not said."""

    tool: str
    host: str
    upstream: str
    owner: str
    only: tuple[str, ...]


def descriptor_entry(content: bytes, choice: DescriptorChoice) -> DescriptorEntry:
    """The entry of a descriptor set. Raises DescriptorsUnusable for one that is none, or has none of what is wanted."""
    descriptors = read_descriptors(content)
    methods = [*_methods(descriptors)]
    wanted = [method for method in methods if _is_chosen(_path(method), choice.only)]
    if not wanted:
        raise DescriptorsUnusable("has no method with the names that were asked for" if methods else "has no service")
    names = _names(wanted)
    return DescriptorEntry(
        choice.tool,
        _head(choice) | {"actions": {names[_path(method)]: _action(method) for method in wanted}},
        _needed(content, {method.containing_service.file.name for method in wanted}),
        (*_left_out(methods, choice.only), *_gaps(wanted)),
    )


def _head(choice: DescriptorChoice) -> dict[str, Json]:
    terms = (("host", choice.host), ("upstream", choice.upstream), ("owner", choice.owner))
    head: dict[str, Json] = {"tool": choice.tool}
    head.update((name, word) for name, word in terms if word)
    return {**head, "descriptor_set": f"{choice.tool}.binpb"}


def _methods(descriptors: Descriptors) -> Iterator[MethodDescriptor]:
    for _, service in sorted(descriptors.services.items()):
        yield from service.methods


def _path(method: MethodDescriptor) -> str:
    return f"{method.containing_service.full_name}/{method.name}"


def _is_chosen(path: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(path, glob) for glob in only)


def _names(methods: Sequence[MethodDescriptor]) -> dict[str, str]:
    """The names of actions: those of methods, with their service's where two services have one of a name."""
    counts: dict[str, int] = {}
    for method in methods:
        counts[method.name] = counts.get(method.name, 0) + 1
    return {
        _path(method): method.name if counts[method.name] == 1 else _path(method).replace("/", ".")
        for method in methods
    }


def _action(method: MethodDescriptor) -> Json:
    action: dict[str, Json] = {"match": f"POST /{_path(method)}", "body": "grpc"}
    if method.client_streaming:
        return action
    parameters = {field.name: _parameter(field) for field in method.input_type.fields if not _is_group(field)}
    return action | ({"parameters": parameters} if parameters else {})


def _parameter(field: FieldDescriptor) -> Json:
    parameter: dict[str, Json] = {"from": f"/{field.name}", "type": kind_of(field)}
    elements = element_kind_of(field)
    return parameter | ({"items": elements} if presence_of(field) is Presence.LIST and elements in _PLAIN else {})


def _is_group(field: FieldDescriptor) -> bool:
    return bool(field.type == FieldDescriptor.TYPE_GROUP)


def _left_out(methods: Sequence[MethodDescriptor], only: Sequence[str]) -> Iterator[str]:
    paths = [_path(method) for method in methods]
    for glob in only:
        if not any(fnmatchcase(path, glob) for path in paths):
            yield f"no method has the name {glob!r} that was asked for"
    rest = [path for path in paths if not _is_chosen(path, only)]
    if rest:
        yield f"not asked for, and refused: {_examples(rest)}"


def _gaps(methods: Sequence[MethodDescriptor]) -> Iterator[str]:
    """What of methods is judged in part, or not at all."""
    requests = {method.input_type.full_name: method.input_type for method in methods if not method.client_streaming}
    unread = {name: _unread(request) for name, request in requests.items()}
    for method in methods:
        path = _path(method)
        if method.client_streaming:
            yield f"{path} is called by a stream of messages: calls are refused until its action says stream: opaque"
            continue
        groups, opaque = unread[method.input_type.full_name]
        if groups:
            yield f"{path}: groups are refused: {_examples(groups)}"
        if opaque:
            yield f"{path}: judged by size and SHA-256, nobody looks inside: {_examples(opaque)}"


def _unread(message: Descriptor) -> tuple[list[str], list[str]]:
    """The groups in a message, and the fields into which nobody looks."""
    groups, opaque = [], []
    for name, field in _fields(message):
        if _is_group(field):
            groups.append(name)
        elif field.type == FieldDescriptor.TYPE_BYTES or _is_packed(field):
            opaque.append(name)
    return groups, opaque


def _is_packed(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == _PACKED


def _fields(message: Descriptor) -> Iterator[tuple[str, FieldDescriptor]]:
    """The fields of a message and of those in it, each message once."""
    passed = {message.full_name}
    open_messages = [("", iter(message.fields))]
    while open_messages:
        before, fields = open_messages[-1]
        field = next(fields, None)
        if field is None:
            open_messages.pop()
            continue
        yield f"{before}{field.name}", field
        inside = field.message_type
        if inside is not None and not _is_packed(field) and inside.full_name not in passed:
            passed.add(inside.full_name)
            open_messages.append((f"{before}{field.name}.", iter(inside.fields)))


def _needed(content: bytes, names: set[str]) -> bytes:
    """The set of these files and of all that they import, without comments and places in the source."""
    files = {file.name: file for file in FileDescriptorSet.FromString(content).file}
    waiting, needed = [*names], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += files[name].dependency
    smaller = FileDescriptorSet()
    for name, file in files.items():
        if name in needed:
            file.ClearField("source_code_info")
            smaller.file.append(file)
    smaller_content: bytes = smaller.SerializeToString(deterministic=True)
    return smaller_content


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_EXAMPLES]) + (", ..." if len(names) > _MOST_EXAMPLES else "")
