"""What a bundle carries of a descriptor set: what the requests of its actions need, and nothing else."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import Edition, FeatureSet, FileDescriptorProto

from aegis_authz.core.interface import FieldKind, Presence
from aegis_authz.policy.compile.descriptors import DescriptorsUnusable, read_descriptors
from aegis_authz.policy.compile.message_types import MOST_FIELDS, types_of
from tests.support.descriptors import REQUEST, SERVICE, add, descriptor_set, message_class, payments


def test_the_types_that_a_request_needs_are_there_and_no_others() -> None:
    order = message_class("pay.v0.Order").DESCRIPTOR
    messages, enums = types_of([order])
    assert (messages.keys(), enums.keys()) == ({"pay.v0.Order"}, {"pay.v0.Level"})
    fields = messages["pay.v0.Order"].fields
    assert {field.name: field.presence for field in fields.values()} == {
        "id": Presence.REQUIRED,
        "count": Presence.OPTIONAL,
        "level": Presence.OPTIONAL,
        "numbers": Presence.LIST,
    }


def test_choices_maps_and_names_of_values_are_told() -> None:
    messages, enums = types_of([message_class(REQUEST).DESCRIPTOR])
    fields = {field.name: field for field in messages[REQUEST].fields.values()}
    assert (fields["card"].choice, fields["account"].choice, fields["amount"].choice) == ("source", "source", "")
    assert (fields["retries"].presence, fields["amount"].presence) == (Presence.OPTIONAL, Presence.IMPLICIT)
    assert (fields["labels"].presence, fields["labels"].kind) == (Presence.MAP, FieldKind.MESSAGE)
    assert enums["pay.v1.Kind"] == {0: "KIND_UNSPECIFIED", 1: "CARD", 2: "CASH", -3: "DEBT"}


def test_of_an_edition_the_features_count_and_not_the_syntax() -> None:
    file = FileDescriptorProto(name="e.proto", package="e", syntax="editions", edition=Edition.EDITION_2023)
    message = file.message_type.add(name="Pay")
    for number, name, presence in (
        (1, "explicit", None),
        (2, "implicit", "IMPLICIT"),
        (3, "required", "LEGACY_REQUIRED"),
    ):
        field = add(message, name, number, "int64")
        if presence is not None:
            field.options.features.field_presence = FeatureSet.FieldPresence.Value(presence)
    delimited = add(message, "delimited", 4, ".e.Pay")
    delimited.options.features.message_encoding = FeatureSet.DELIMITED
    method = file.service.add(name="Payments").method.add(name="Create", input_type=".e.Pay", output_type=".e.Pay")
    input_type = read_descriptors(descriptor_set(file)).method("e.Payments", method.name).input_type
    messages, _ = types_of([input_type])
    assert {field.name: field.presence for field in messages["e.Pay"].fields.values()} == {
        "explicit": Presence.OPTIONAL,
        "implicit": Presence.IMPLICIT,
        "required": Presence.REQUIRED,
    }


def test_more_types_than_a_bundle_shall_carry_are_refused() -> None:
    file = payments()
    for number in range(MOST_FIELDS):
        add(file.message_type[0], f"field_{number}", 20_000 + number, "bool")
    method = read_descriptors(descriptor_set(file)).method(SERVICE, "Create")
    with pytest.raises(DescriptorsUnusable, match="has more than 10000 fields"):
        types_of([method.input_type])


def test_a_well_known_type_of_another_shape_is_refused() -> None:
    content = descriptor_set().replace(b"\x0a\x05nanos\x18\x02", b"\x0a\x05nanoz\x18\x02", 1)
    method = read_descriptors(content).method(SERVICE, "Create")
    with pytest.raises(DescriptorsUnusable, match="has another 'google"):
        types_of([method.input_type])
