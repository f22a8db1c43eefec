"""Messages by their types: what is read is what protobuf's own runtime reads, and what it would merge is refused."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.core.catalogue import ONE_OPERATION, Action, BodyFormat, Catalogue, Tool
from aegis_authz.core.interface import (
    NO_INTERFACE,
    FieldKind,
    Interface,
    MessageField,
    MessageType,
    Method,
    Presence,
    Sending,
)
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.json_outline import Outline
from aegis_authz.encoding.strict_json import MAX_MEMBERS
from aegis_authz.policy.compile.message_types import types_of
from aegis_authz.wire.bodies.message import MAX_DEPTH, MAX_VALUES, read_message
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.places import Places
from aegis_authz.wire.http.tool_call import read_tool_call, takes_long
from tests.support.descriptors import REQUEST, message_class

Request = message_class(REQUEST)
Order = message_class("pay.v0.Order")
INTERFACE = Interface({}, *types_of((Request.DESCRIPTOR, Order.DESCRIPTOR)))
WHOLE: Places = dict.fromkeys((field.name for field in Request.DESCRIPTOR.fields), None)
EMPTY = {"size": 0, "sha256": hashlib.sha256(b"").hexdigest()}

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_DAY = 86_400


def read(data: bytes, request: str = REQUEST, others: bool = False, places: Places | None = None) -> dict[str, Any]:
    return read_message(data, request, INTERFACE, WHOLE if places is None else places, others)


def refusal(data: bytes, request: str = REQUEST, others: bool = False) -> tuple[Reason, str, str]:
    with pytest.raises(Refused) as refused:
        read(data, request, others)
    assert refused.value.fault is not None
    return refused.value.reason, refused.value.fault.at, refused.value.fault.problem


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type in _RANGES:
        low, high = _RANGES[field.cpp_type]
        return st.one_of(st.integers(low, high), st.sampled_from((low, high, 0, 1)))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.text(max_size=4)
    width = 32 if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT else 64
    return st.floats(allow_nan=False, allow_infinity=False, width=width)


@st.composite
def messages(draw: st.DrawFn, kind: Any = Request, depth: int = 3) -> Any:
    """A message without bytes: of these no reader of JSON could tell what they were."""
    message = kind()
    descriptor: Descriptor = kind.DESCRIPTOR
    name = descriptor.full_name
    if name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        message.FromSeconds(draw(st.integers(-20_000 * _DAY, 20_000 * _DAY)))
        message.nanos = draw(st.sampled_from((0, 5_000_000, 7_000, 1))) * (
            -1 if message.seconds < 0 and "Dur" in name else 1
        )
        return message
    if name in ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"):
        text = {"Struct": '{"a": [1.5, null, {"b": "c"}], "d": true}', "Value": '["x", 2]', "ListValue": "[1, [], {}]"}
        return json_format.Parse(text[descriptor.name], message)
    names = [
        field.name for field in descriptor.fields if "bytes" not in field.name and (depth or not field.message_type)
    ]
    for position in draw(st.lists(st.integers(0, len(names) - 1), max_size=6, unique=True)) if names else ():
        _fill(draw, message, descriptor.fields_by_name[names[position]], depth - 1)
    return message


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    target, inside = getattr(message, field.name), field.message_type
    if inside is not None and inside.GetOptions().map_entry:
        value = inside.fields_by_name["value"]
        for key in draw(st.lists(scalars(inside.fields_by_name["key"]), max_size=2)):
            if value.message_type is None:
                target[key] = draw(scalars(value))
            else:
                target[key].CopyFrom(draw(messages(value.message_type._concrete_class, depth)))
    elif inside is not None and field.is_repeated:
        for _ in range(draw(st.integers(0, 2))):
            target.add().CopyFrom(draw(messages(inside._concrete_class, depth)))
    elif inside is not None:
        target.CopyFrom(draw(messages(inside._concrete_class, depth)))
        target.SetInParent()
    elif field.is_repeated:
        target.extend(draw(st.lists(scalars(field), max_size=3)))
    else:
        setattr(message, field.name, draw(scalars(field)))


@settings(deadline=None)
@given(messages())
def test_what_is_read_is_the_message_in_the_json_mapping_of_protobuf(message: Any) -> None:
    value = read(message.SerializeToString())
    assert json_format.ParseDict(without_bytes(value), Request()) == message


def without_bytes(value: Any) -> Any:
    """A value without what is said of bytes, which the JSON mapping writes otherwise."""
    if isinstance(value, dict):
        return {name: without_bytes(part) for name, part in value.items() if name not in _BYTES}
    return [without_bytes(part) for part in value] if isinstance(value, list) else value


_BYTES = ("one_bytes", "many_bytes", "a_bytes")


@settings(deadline=None, max_examples=400)
@given(messages(), st.data())
def test_changed_bytes_are_refused_or_read_as_protobuf_reads_them(message: Any, data: st.DataObject) -> None:
    content = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        value = read(bytes(content))
    except Refused as refused:
        assert refused.fault is not None and refused.fault.problem
        return
    parsed = Request.FromString(bytes(content))
    assert len(UnknownFieldSet(parsed)) == 0
    for name in _BYTES:
        parsed.ClearField(name)
    for nested in nested_messages(parsed):
        for name in _BYTES:
            nested.ClearField(name)
    assert json_format.ParseDict(without_bytes(value), Request()) == parsed


def nested_messages(message: Any) -> Iterator[Any]:
    while message.HasField("parent"):
        message = message.parent
        yield message


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_value_or_one_refusal(content: bytes) -> None:
    for request in (REQUEST, "pay.v0.Order"):
        for others in (False, True):
            try:
                read(content, request, others)
            except Refused as refused:
                assert refused.fault is not None and refused.fault.problem


def test_names_are_those_of_the_file_and_values_those_of_json() -> None:
    message = Request(amount=2**62, currency="EUR", kind=2, payee={"name": "ACME"}, card="4111")
    message.due.FromJsonString("2026-03-02T09:00:00.25Z")
    message.wait.FromJsonString("-1.5s")
    message.meta.update({"order": [1, {"a": None}]})
    message.a_int64.value = 5
    message.by_number[-3].name = "Z"
    message.one_bytes = b"abc"
    message.one_float = 0.1
    value = read(message.SerializeToString())
    assert {name: value[name] for name in ("amount", "currency", "kind", "payee", "card")} == {
        "amount": 2**62,
        "currency": "EUR",
        "kind": "CASH",
        "payee": {"name": "ACME", "limit": 0, "tags": []},
        "card": "4111",
    }
    assert (value["due"], value["wait"], value["meta"]) == (
        "2026-03-02T09:00:00.250Z",
        "-1.500s",
        {"order": [1.0, {"a": None}]},
    )
    assert (value["a_int64"], value["by_number"]) == (5, {"-3": {"name": "Z", "limit": 0, "tags": []}})
    assert value["one_bytes"] == {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert value["one_float"] == struct.unpack("<f", struct.pack("<f", 0.1))[0]


def test_what_is_not_sent_is_zero_where_a_tool_reads_it_so() -> None:
    places: Places = {"amount": None, "payee": None, "parent": {"amount": None}, "retries": None, "card": None}
    assert read(b"", places=places) == {"amount": 0}
    sent = Request(payee={}, parent={}).SerializeToString()
    assert read(sent, places=places) == {
        "amount": 0,
        "payee": {"name": "", "limit": 0, "tags": []},
        "parent": {"amount": 0},
    }
    whole = read(b"")
    assert (whole["kind"], whole["labels"], whole["kinds"], whole["one_bytes"]) == ("KIND_UNSPECIFIED", {}, [], EMPTY)
    assert whole.keys().isdisjoint({"payee", "card", "retries", "due", "a_int64"})


def test_of_a_zero_nobody_tells_whether_it_was_sent() -> None:
    assert read(b"\x08\x00") == read(b"")


def test_where_no_parameters_are_listed_and_others_pass_every_zero_is_one() -> None:
    action = Action("pay", "POST", ("p.P", "Pay"), (), True, (BodyFormat.MESSAGE,), ONE_OPERATION)
    interface = Interface({"pay": Method(Sending.MESSAGE, "pay.v1.Payee")}, INTERFACE.messages, INTERFACE.enums)
    tool = Tool("t", "t.example", None, "", (action,), "", "", None, False, False, interface)
    headers = {"content-type": ("application/grpc",)}
    body = b"\0\0\0\0\x03\x0a\x01a"
    call = HttpCall("", "POST", "http", "t.example", None, "/p.P/Pay", "", headers, body, "", "", "", "", "", False)
    assert read_tool_call(call, Catalogue.of((tool,))).parameters == {"name": "a", "limit": 0, "tags": []}


def test_a_place_in_a_list_is_filled_in_that_element_alone() -> None:
    sent = Request(payees=[{}, {}]).SerializeToString()
    assert read(sent, places={"payees": {"1": {"limit": None}}}) == {"payees": [{}, {"limit": 0}]}


@pytest.mark.parametrize(
    ("content", "reason", "at", "problem"),
    [
        (b"\x08\x01\x08\x02", Reason.DUPLICATE_KEY, "/amount", "stands twice"),
        (b"\x22\x00\x22\x00", Reason.DUPLICATE_KEY, "/payee", "merge"),
        (b"\x4a\x01a\x52\x01b", Reason.DUPLICATE_KEY, "/account", 'Two fields of "source"'),
        (b"\x32\x06\x0a\x01a\x12\x01b\x32\x03\x0a\x01a", Reason.DUPLICATE_KEY, "/labels", 'names "a" twice'),
        (b"\x32\x00\x32\x00", Reason.DUPLICATE_KEY, "/labels", 'names "" twice'),
        (b"\x32\x06\x0a\x01a\x0a\x01b", Reason.DUPLICATE_KEY, "/labels/key", "stands twice"),
        (b"\x32\x0b\x0a\x09__proto__", Reason.MESSAGE_MALFORMED, "/labels", "JavaScript"),
        (b"\x32\x02\x18\x01", Reason.PARAMETER_UNKNOWN, "/labels/#3", "field 3"),
        (b"\xa8\x1f\x01", Reason.PARAMETER_UNKNOWN, "/#501", "field 501"),
        (b"\x22\x02\x20\x01", Reason.PARAMETER_UNKNOWN, "/payee/#4", "field 4"),
        (b"\x08\x81\x00", Reason.MESSAGE_MALFORMED, "/amount", "more bytes than it needs"),
        (b"\x88\x00\x01", Reason.MESSAGE_MALFORMED, "", "more bytes than it needs"),
        (b"\x12\x81\x00a", Reason.MESSAGE_MALFORMED, "/currency", "more bytes than it needs"),
        (b"\x08" + b"\xff" * 9 + b"\x02", Reason.MESSAGE_MALFORMED, "/amount", "does not fit 64 bits"),
        (b"\x08" + b"\xff" * 10 + b"\x01", Reason.MESSAGE_MALFORMED, "/amount", "more than ten bytes"),
        (b"\x08\x80", Reason.MESSAGE_MALFORMED, "/amount", "cut off"),
        (b"\x12\x05abc", Reason.MESSAGE_MALFORMED, "/currency", "longer than what it stands in"),
        (b"\x12\x01\xff", Reason.MESSAGE_MALFORMED, "/currency", "not UTF-8"),
        (b"\x12\x03\xed\xa0\x80", Reason.MESSAGE_MALFORMED, "/currency", "not UTF-8"),
        (b"\x0a\x01a", Reason.MESSAGE_MALFORMED, "/amount", "not written as its type is"),
        (b"\x10\x01", Reason.MESSAGE_MALFORMED, "/currency", "not written as its type is"),
        (b"\x30\x01", Reason.MESSAGE_MALFORMED, "/labels", "not written as its type is"),
        (b"\x18\x05", Reason.MESSAGE_MALFORMED, "/kind", "no such value"),
        (b"\x18\xfd\xff\xff\xff\x0f", Reason.MESSAGE_MALFORMED, "/kind", "beyond what int32 holds"),
        (b"\x80\x01\x80\x80\x80\x80\x08", Reason.MESSAGE_MALFORMED, "/retries", "beyond what int32 holds"),
        (b"\x00\x00", Reason.MESSAGE_MALFORMED, "", "a number that no field can have"),
        (b"\x80\x80\x80\x80\x10\x00", Reason.MESSAGE_MALFORMED, "", "a number that no field can have"),
        (b"\x5a\x02\x10\x01\x5a\x00", Reason.DUPLICATE_KEY, "/due", "stands twice"),
        (b"\x5a\x06\x10\x80\x94\xeb\xdc\x03", Reason.MESSAGE_MALFORMED, "/due", "fraction that is none"),
        (b"\x5a\x09\x08" + b"\xff" * 7 + b"\x7f", Reason.MESSAGE_MALFORMED, "/due", "years 1 to 9999"),
        (b"\x12", Reason.MESSAGE_MALFORMED, "/currency", "cut off"),
        (b"\x72\x00", Reason.MESSAGE_MALFORMED, "/extra", "holds no value"),
        (
            b"\x72\x09\x11" + struct.pack("<d", float("nan")),
            Reason.MESSAGE_MALFORMED,
            "/extra/number_value",
            "infinite",
        ),
        (b"\x72\x04\x08\x00\x20\x01", Reason.DUPLICATE_KEY, "/extra/bool_value", 'Two fields of "kind"'),
    ],
)
def test_what_readers_may_read_in_unlike_ways_is_refused(content: bytes, reason: Reason, at: str, problem: str) -> None:
    assert refusal(content)[:2] == (reason, at)
    assert problem in refusal(content)[2]


@pytest.mark.parametrize("name", ["one_double", "one_float"])
def test_numbers_that_json_has_no_word_for_are_refused(name: str) -> None:
    for number in ("inf", "-inf", "nan"):
        message = Request(**{name: float(number)})
        assert "infinite or none at all" in refusal(message.SerializeToString())[2]


def test_of_proto2_required_fields_extensions_and_groups_are_not_let_pass() -> None:
    assert read(b"\x0a\x01a", "pay.v0.Order", places={"id": None, "count": None}) == {"id": "a"}
    assert refusal(b"", "pay.v0.Order") == (Reason.MESSAGE_MALFORMED, "", 'The field "id" is required.')
    for content in (b"\x0a\x01a\x23\x24", b"\x0a\x01a\xa2\x06\x01x"):
        assert refusal(content, "pay.v0.Order")[0] is Reason.PARAMETER_UNKNOWN
    assert "group" in refusal(b"\x0a\x01a\x23\x24", "pay.v0.Order", others=True)[2]


def test_where_others_pass_a_field_that_nobody_knows_is_shown_by_its_number() -> None:
    content = b"\xa8\x1f\x01\xaa\x1f\x02ab\xa9\x1f" + b"x" * 8 + b"\xad\x1f" + b"y" * 4
    raw = b"\x00\x01\x02\x02ab\x01" + b"x" * 8 + b"\x05" + b"y" * 4
    value = read(content, others=True, places={})
    assert value == {"#501": {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}}
    assert read(b"\xa8\x1f\x02", others=True, places={}) != read(b"\xa8\x1f\x01", others=True, places={})
    assert "cut off" in refusal(b"\xa9\x1fxyz", others=True)[2]


def test_where_there_is_no_room_for_a_strange_field_it_is_refused_even_where_others_pass() -> None:
    assert "nobody knows" in refusal(b"\x5a\x02\x18\x01", others=True)[2]
    assert "nobody knows" in refusal(b"\x32\x02\x18\x01", others=True)[2]


def test_messages_are_nested_as_deep_as_other_bodies() -> None:
    def nested(levels: int) -> bytes:
        message = Request()
        inside = message
        for _ in range(levels - 1):
            inside = inside.parent
            inside.SetInParent()
        content: bytes = message.SerializeToString()
        return content

    read(nested(MAX_DEPTH), places={})
    with pytest.raises(Refused) as refused:
        read(nested(MAX_DEPTH + 1), places={})
    assert refused.value.fault is not None and "nested more than" in refused.value.fault.problem


@pytest.mark.parametrize(
    "content",
    [
        b"\x8a\x01\x80\x80\x40" + b"\x00" * 2**20,
        b"\x2a\x00" * 2**19,
        b"\xa8\x1f\x00" * 2**18,
        b"".join(b"\x3a\x03\x08" + bytes((0x80 | n & 0x7F, n >> 7)) for n in range(128, 16_384)) * 16,
    ],
    ids=["packed", "elements", "strange", "entries"],
)
def test_a_mebibyte_of_small_values_is_refused_soon(content: bytes) -> None:
    begun = time.perf_counter()
    with pytest.raises(Refused):
        read(content, others=True)
    assert time.perf_counter() - begun < 2


def test_as_many_values_are_read_as_a_json_text_may_have() -> None:
    places: Places = {"kinds": None}
    content = Request(kinds=[1] * (MAX_VALUES - 2)).SerializeToString()
    assert len(read(content, places=places)["kinds"]) == MAX_VALUES - 2
    more = Request(kinds=[1] * (MAX_VALUES - 1)).SerializeToString()
    assert "more than" in refusal(more)[2]


def test_what_is_filled_in_counts_as_well() -> None:
    empty = b"\x2a\x00"  # a payee, of which three fields are filled in
    rows = (MAX_MEMBERS - 1) // 3
    assert len(read(empty * rows, places={"payees": None})["payees"]) == rows
    assert "more than" in refusal(empty * (rows + 1))[2]
    assert "more than" in refusal(empty * (MAX_VALUES // 4 + 1))[2]


def test_bytes_count_as_the_members_that_are_told_of_them() -> None:
    wide = {n: MessageField(f"f{n}", FieldKind.BYTES, Presence.IMPLICIT, "", "") for n in range(1, 20)}
    holder = {
        1: MessageField("rows", FieldKind.MESSAGE, Presence.LIST, "row", ""),
        2: MessageField("blobs", FieldKind.BYTES, Presence.LIST, "", ""),
    }
    interface = Interface({}, {"rows": MessageType(holder), "row": MessageType(wide)}, {})
    whole: Places = {"rows": None, "blobs": None}

    def members(content: bytes) -> int:
        return Outline(orjson.dumps(read_message(content, "rows", interface, whole, others=False))).members

    for content, most in ((b"\x0a\x00", (MAX_MEMBERS - 2) // (19 * 3)), (b"\x12\x00", (MAX_MEMBERS - 2) // 2)):
        assert MAX_MEMBERS - 19 * 3 <= members(content * most) <= MAX_MEMBERS
        with pytest.raises(Refused) as refused:
            members(content * (most + 1))
        assert refused.value.fault is not None and f"or {MAX_MEMBERS} members" in refused.value.fault.problem


def test_a_short_message_is_not_filled_in_to_a_long_one() -> None:
    wide = {n: MessageField(f"f{n}", FieldKind.BOOL, Presence.IMPLICIT, "", "") for n in range(1, 501)}
    holder = {1: MessageField("rows", FieldKind.MESSAGE, Presence.LIST, "row", "")}
    interface = Interface({}, {"rows": MessageType(holder), "row": MessageType(wide)}, {})

    def rows(count: int) -> dict[str, Any]:
        return read_message(b"\x0a\x00" * count, "rows", interface, {"rows": None}, others=False)

    assert len(rows(2)["rows"][0]) == 500
    with pytest.raises(Refused) as refused:
        rows(3)
    assert refused.value.fault is not None and "too many for its length" in refused.value.fault.problem


def test_a_mebibyte_that_nobody_knows_is_told_in_one_go() -> None:
    begun = time.perf_counter()
    piece = b"\xaa\x1f\x28" + b"x" * 40
    value = read(piece * 20_000, others=True, places={})
    assert value["#501"]["size"] == 20_000 * 42
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    ("interface", "size", "is_slow"), [(INTERFACE, 399, False), (INTERFACE, 400, True), (NO_INTERFACE, 400, False)]
)
def test_others_do_not_wait_for_a_message_that_is_read_field_by_field(
    interface: Interface, size: int, is_slow: bool
) -> None:
    action = Action("pay", "POST", ("p.P", "Pay"), (), False, (BodyFormat.MESSAGE,), ONE_OPERATION)
    tool = Tool("t", "t.example", None, "", (action,), "", "", None, False, False, interface)
    call = HttpCall("", "POST", "http", "t.example", None, "/p.P/Pay", "", {}, bytes(size), "", "", "", "", "", False)
    assert takes_long(call, Catalogue.of((tool,))) is is_slow
