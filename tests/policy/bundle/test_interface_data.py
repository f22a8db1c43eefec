"""What is known of messages: through a bundle and back, and nothing that was not written so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aegis_authz.core.interface import FieldKind, Interface, MessageField, MessageType, Method, Presence, Sending
from aegis_authz.policy.bundle.interface_data import interface_from_data, interface_to_data

TAG = MessageType(
    {
        1: MessageField("key", FieldKind.STRING, Presence.IMPLICIT, "", ""),
        2: MessageField("value", FieldKind.INT64, Presence.IMPLICIT, "", ""),
    }
)
PAYMENT = MessageType(
    {
        1: MessageField("amount", FieldKind.INT64, Presence.IMPLICIT, "", ""),
        2: MessageField("kind", FieldKind.ENUM, Presence.LIST, "pay.Kind", "how"),
        3: MessageField("tags", FieldKind.MESSAGE, Presence.MAP, "pay.Payment.TagsEntry", ""),
        4: MessageField("next", FieldKind.MESSAGE, Presence.OPTIONAL, "pay.Payment", "how"),
    }
)
INTERFACE = Interface(
    {"create": Method(Sending.MESSAGE, "pay.Payment"), "talk": Method(Sending.OPAQUE, "")},
    {"pay.Payment": PAYMENT, "pay.Payment.TagsEntry": TAG},
    {"pay.Kind": {0: "CARD", -1: "CASH"}},
)


def data() -> Any:
    return copy.deepcopy(interface_to_data(INTERFACE))


def test_an_interface_comes_back_as_it_was() -> None:
    assert interface_from_data(data()) == INTERFACE


def test_fields_that_are_there_without_being_sent_are_told_apart() -> None:
    assert [*PAYMENT.absent] == ["amount", "kind", "tags"]
    assert PAYMENT.required == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("methods", "create", "request"), "pay.Nothing"),
        (("methods", "create", "sending"), "everything"),
        (("methods", "create"), {"sending": "message"}),
        (("messages", "pay.Payment", "01"), {}),
        (("messages", "pay.Payment", "0"), None),
        (("messages", "pay.Payment", "536870912"), None),
        (("messages", "pay.Payment", "2", "type"), "pay.Nothing"),
        (("messages", "pay.Payment", "4", "type"), "pay.Nothing"),
        (("messages", "pay.Payment", "1", "type"), "pay.Kind"),
        (("messages", "pay.Payment", "1", "name"), "kind"),
        (("messages", "pay.Payment", "1", "name"), ""),
        (("messages", "pay.Payment", "1", "kind"), "int128"),
        (("messages", "pay.Payment", "1", "presence"), "map"),
        (("messages", "pay.Payment", "2", "presence"), "never"),
        (("messages", "pay.Payment", "3", "type"), "pay.Payment"),
        (("messages", "pay.Payment.TagsEntry", "1", "presence"), "optional"),
        (("messages", "pay.Payment.TagsEntry", "1", "name"), "name"),
        (("enums", "pay.Kind", "zero"), "A"),
        (("enums", "pay.Kind", "0"), 0),
        (("enums",), []),
    ],
)
def test_anything_else_is_refused(path: tuple[str, ...], value: object) -> None:
    changed = data()
    part = changed
    for name in path[:-1]:
        part = part[name]
    template = changed["messages"]["pay.Payment"]["1"]
    part[path[-1]] = {**template, "name": "new"} if value is None else value
    with pytest.raises(ValueError, match=r"."):
        interface_from_data(changed)


def test_a_field_that_is_zero_unless_sent_needs_a_value_of_that_number() -> None:
    changed = data()
    changed["messages"]["pay.Payment"]["2"]["presence"] = "implicit"
    interface_from_data(changed)
    del changed["enums"]["pay.Kind"]["0"]
    with pytest.raises(ValueError, match="no value for a field that is not sent"):
        interface_from_data(changed)
