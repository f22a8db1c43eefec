"""Descriptor sets as files: those of protoc are read, and of any other it is said what is wrong."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.compile.descriptors import DescriptorsUnusable, read_descriptors
from tests.support.descriptors import SERVICE, add, descriptor_set, legacy, payments


def test_services_and_methods_are_found_by_name() -> None:
    descriptors = read_descriptors(descriptor_set())
    assert sorted(descriptors.services) == ["pay.v0.Orders", SERVICE]
    method = descriptors.method(SERVICE, "Talk")
    assert (method.input_type.full_name, method.client_streaming) == ("pay.v1.CreateRequest", True)
    for service, name, problem in (
        ("pay.v1.Payment", "Talk", "no service 'pay.v1.Payment'; did you mean 'pay.v1.Payments'?"),
        (SERVICE, "Tolk", f"no method 'Tolk' in '{SERVICE}'; did you mean 'Talk'?"),
    ):
        with pytest.raises(DescriptorsUnusable) as unusable:
            descriptors.method(service, name)
        assert problem in str(unusable.value)


def test_the_order_of_files_does_not_matter() -> None:
    whole = FileDescriptorSet.FromString(descriptor_set())
    turned = FileDescriptorSet(file=reversed(whole.file)).SerializeToString()
    assert read_descriptors(turned).services.keys() == read_descriptors(descriptor_set()).services.keys()


def _circle() -> bytes:
    files = [FileDescriptorProto(name=name, dependency=[needed]) for name, needed in (("a", "b"), ("b", "a"))]
    return FileDescriptorSet(file=files).SerializeToString()


def _unresolved() -> bytes:
    file = payments()
    add(file.message_type[0], "lost", 9, ".pay.v1.Lost")
    return descriptor_set(file)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "without files"),
        (b"syntax = 'proto3';", "is no FileDescriptorSet"),
        (descriptor_set()[:-3], "is no FileDescriptorSet"),
        (descriptor_set(payments(), imports=False), "without 'google/protobuf/duration.proto', which it imports"),
        (descriptor_set(legacy(), legacy()), "has the file 'pay/v0/legacy.proto' twice"),
        (_circle(), "which protobuf refuses"),
        (_unresolved(), "'pay/v1/payments.proto', which protobuf refuses"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(content: bytes, problem: str) -> None:
    with pytest.raises(DescriptorsUnusable) as unusable:
        read_descriptors(content)
    assert problem in str(unusable.value)


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_it_is_read_or_refused(content: bytes) -> None:
    try:
        read_descriptors(content)
    except DescriptorsUnusable as unusable:
        assert str(unusable).isprintable()
