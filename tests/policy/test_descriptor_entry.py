"""A descriptor set becomes an entry: a method is an action, and the fields of its request are what policy judges."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from aegis_authz.core.interface import Method, Sending
from aegis_authz.policy.compile.descriptors import DescriptorsUnusable
from aegis_authz.policy.descriptor_entry import DescriptorChoice, DescriptorEntry, descriptor_entry
from aegis_authz.policy.load import load
from tests.support.descriptors import REQUEST, SERVICE, add, descriptor_set, legacy, payments


def entry(*only: str, content: bytes | None = None) -> DescriptorEntry:
    choice = DescriptorChoice("pay", "pay.example", "", "payments@acme.example", only)
    return descriptor_entry(descriptor_set() if content is None else content, choice)


def actions(imported: DescriptorEntry) -> dict[str, Any]:
    listed: Any = imported.document["actions"]
    return dict(listed)


def test_every_method_is_an_action_with_the_fields_of_its_request() -> None:
    listed = actions(entry())
    assert listed.keys() == {"Create", "Watch", "Collect", "Talk", "Place"}
    create = listed["Create"]
    assert (create["match"], create["body"]) == (f"POST /{SERVICE}/Create", "grpc")
    assert {name: create["parameters"][name] for name in ("amount", "payees", "kinds", "labels", "due")} == {
        "amount": {"from": "/amount", "type": "integer"},
        "payees": {"from": "/payees", "type": "array"},
        "kinds": {"from": "/kinds", "type": "array", "items": "string"},
        "labels": {"from": "/labels", "type": "object"},
        "due": {"from": "/due", "type": "string"},
    }
    assert "old" not in listed["Place"]["parameters"]
    assert "parameters" not in listed["Talk"]


def test_the_catalogue_takes_the_entry_with_its_set() -> None:
    imported = entry()
    texts = {
        "pay.yaml": yaml.safe_dump(dict(imported.document)),
        "pay.binpb": base64.b64encode(imported.content).decode(),
    }
    (tool,) = load({}, texts).tools
    assert tool.interface.methods["Create"] == Method(Sending.MESSAGE, REQUEST)
    assert tool.interface.methods["Talk"] == Method(Sending.STREAM, REQUEST)


def test_what_is_not_taken_over_in_full_is_said() -> None:
    gaps = entry().gaps
    assert (
        f"{SERVICE}/Talk is called by a stream of messages: calls are refused until its action says stream: opaque"
        in gaps
    )
    assert "pay.v0.Orders/Place: groups are refused: old" in gaps
    assert any(
        "Create: judged by size and SHA-256, nobody looks inside: a_bytes.value, one_bytes" in gap for gap in gaps
    )


def test_of_a_large_set_only_what_is_asked_for_is_taken() -> None:
    imported = entry("pay.v0.*", "nothing/*")
    assert actions(imported).keys() == {"Place"}
    assert [file.name for file in FileDescriptorSet.FromString(imported.content).file] == ["pay/v0/legacy.proto"]
    assert "no method has the name 'nothing/*' that was asked for" in imported.gaps
    assert any(gap.startswith(f"not asked for, and refused: {SERVICE}/Create, ") for gap in imported.gaps)


def test_comments_of_the_source_are_left_out() -> None:
    file = payments()
    file.source_code_info.location.add(leading_comments="secret plans")
    assert b"secret plans" not in entry(content=descriptor_set(file)).content


def test_two_methods_of_one_name_are_told_apart_by_their_services() -> None:
    file = legacy()
    file.service.add(name="More").method.add(name="Place", input_type=".pay.v0.Order", output_type=".pay.v0.Order")
    assert actions(entry(content=descriptor_set(file))).keys() == {"pay.v0.Orders.Place", "pay.v0.More.Place"}


@pytest.mark.parametrize(
    ("content", "only", "problem"),
    [
        (None, ("x/*",), "has no method with the names that were asked for"),
        (descriptor_set(legacy().__class__(name="empty.proto")), (), "has no service"),
        (b"x", (), "is no FileDescriptorSet"),
    ],
)
def test_a_set_without_what_is_asked_for_is_refused(content: bytes | None, only: tuple[str, ...], problem: str) -> None:
    with pytest.raises(DescriptorsUnusable, match=problem):
        entry(*only, content=content)


def test_messages_in_messages_without_end_are_looked_through_once_for_all_methods() -> None:
    file = FileDescriptorProto(name="deep.proto", package="deep", syntax="proto3")
    levels, methods = 2_000, 300
    for level in range(levels):
        message = file.message_type.add(name=f"M{level}")
        add(message, "content", 1, "bytes")
        if level + 1 < levels:
            add(message, "inside", 2, f".deep.M{level + 1}")
    service = file.service.add(name="S")
    for number in range(methods):
        service.method.add(name=f"Do{number}", input_type=".deep.M0", output_type=".deep.M0")
    begun = time.process_time()
    imported = entry(content=descriptor_set(file, imports=False))
    assert time.process_time() - begun < 2
    assert len(imported.gaps) == methods
    assert imported.gaps[0].endswith("looks inside: content, inside.content, inside.inside.content, "
        "inside.inside.inside.content, inside.inside.inside.inside.content, ...")  # fmt: skip
