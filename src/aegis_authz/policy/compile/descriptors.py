"""A FileDescriptorSet (google/protobuf/descriptor.proto), read with everything that it needs inside of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from aegis_authz.policy.source.problems import did_you_mean, printable, quoted

_MOST_FILES = 2_000


class DescriptorsUnusable(Exception):
    """A descriptor set cannot be used, or lacks what was looked for in it; the message says which."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The services of a descriptor set, by full name."""

    services: Mapping[str, ServiceDescriptor]

    def method(self, service: str, name: str) -> MethodDescriptor:
        """A method of a service. Raises DescriptorsUnusable."""
        entry = self.services.get(service)
        if entry is None:
            raise DescriptorsUnusable(f"has no service {quoted(service)}{did_you_mean(service, self.services)}")
        method = entry.methods_by_name.get(name)
        if method is None:
            hint = did_you_mean(name, entry.methods_by_name)
            raise DescriptorsUnusable(f"has no method {quoted(name)} in {quoted(service)}{hint}")
        return method


def read_descriptors(content: bytes) -> Descriptors:
    """Read a descriptor set as `protoc --include_imports --descriptor_set_out` writes it.

    Raises DescriptorsUnusable for anything else: no such message, a file twice, one that is imported and not there,
    and what the runtime of protobuf takes for wrong.
    """
    try:
        files = FileDescriptorSet.FromString(content).file
    except DecodeError:
        raise DescriptorsUnusable("is no FileDescriptorSet, which protoc --descriptor_set_out writes") from None
    if not files:
        raise DescriptorsUnusable("is a FileDescriptorSet without files")
    if len(files) > _MOST_FILES:
        raise DescriptorsUnusable(f"has more than {_MOST_FILES} files")
    by_name: dict[str, FileDescriptorProto] = {}
    for file in files:
        if file.name in by_name:
            raise DescriptorsUnusable(f"has the file {quoted(file.name)} twice")
        by_name[file.name] = file
    return Descriptors(
        {service.full_name: service for file in _loaded(by_name) for service in file.services_by_name.values()}
    )


def _loaded(files: Mapping[str, FileDescriptorProto]) -> list[FileDescriptor]:
    """The files as a runtime takes them, each behind those that it imports."""
    pool = DescriptorPool()
    loaded: dict[str, FileDescriptor] = {}
    waiting = [*reversed([*files])]
    under_way: set[str] = set()
    while waiting:
        name = waiting[-1]
        if name in loaded:
            waiting.pop()
            continue
        file = files[name]
        missing = [entry for entry in file.dependency if entry not in files]
        if missing:
            raise DescriptorsUnusable(
                f"has {quoted(name)} without {quoted(missing[0])}, which it imports: run protoc with --include_imports"
            )
        first = [entry for entry in file.dependency if entry not in loaded]
        if first and name not in under_way:
            under_way.add(name)
            waiting += first
            continue
        try:
            loaded[name] = pool.AddSerializedFile(file.SerializeToString())
        except TypeError as fault:
            # its sentence begins with where it was said
            sentence = str(fault).rpartition("descriptor pool: ")[2]
            raise DescriptorsUnusable(
                f"has {quoted(name)}, which protobuf refuses: {printable(sentence)[:200]}"
            ) from None
        waiting.pop()
    return [loaded[name] for name in files]
