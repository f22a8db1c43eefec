"""A program for atheris: one reader, fed with bytes that coverage leads, for as long as it is told.

`python fuzzed_readers.py READER [options of libFuzzer]`. Whatever is no value and no refusal ends it with a trace.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # in an environment of its own

with atheris.instrument_imports(include=["aegis_authz.wire.bodies", "aegis_authz.encoding"]):
    from aegis_authz.core.catalogue import ONE_OPERATION, OperationTerms
    from aegis_authz.core.interface import FieldKind, Interface, MessageField, MessageType, Presence
    from aegis_authz.core.refused import Refused
    from aegis_authz.encoding import strict_json
    from aegis_authz.wire.bodies.form import read_form
    from aegis_authz.wire.bodies.graphql import read_graphql
    from aegis_authz.wire.bodies.grpc_frame import read_grpc
    from aegis_authz.wire.bodies.lines import read_lines
    from aegis_authz.wire.bodies.message import read_message
    from aegis_authz.wire.bodies.multipart import boundary_of, read_multipart
    from aegis_authz.wire.http.places import Places


# the types of a recursive message with a field of each kind
PLAIN = [kind for kind in FieldKind if kind not in (FieldKind.MESSAGE, FieldKind.ENUM)]
FIELDS = {
    **{number: MessageField(kind.value, kind, Presence.IMPLICIT, "", "") for number, kind in enumerate(PLAIN, 1)},
    **{
        number: MessageField(f"many_{kind.value}", kind, Presence.LIST, "", "") for number, kind in enumerate(PLAIN, 21)
    },
    41: MessageField("kind", FieldKind.ENUM, Presence.LIST, "e", ""),
    42: MessageField("parent", FieldKind.MESSAGE, Presence.OPTIONAL, "m", "one"),
    43: MessageField("labels", FieldKind.MESSAGE, Presence.MAP, "entry", ""),
    44: MessageField("name", FieldKind.STRING, Presence.OPTIONAL, "", "one"),
}
ENTRY = {
    1: MessageField("key", FieldKind.STRING, Presence.IMPLICIT, "", ""),
    2: replace(FIELDS[42], name="value", choice=""),
}
INTERFACE = Interface({}, {"m": MessageType(FIELDS), "entry": MessageType(ENTRY)}, {"e": {0: "A", -1: "B"}})


def _fields(data: bytes) -> object:
    whole: Places = dict.fromkeys((field.name for field in FIELDS.values()), None)
    return read_message(data[1:], "m", INTERFACE, whole, others=data[:1] < b"\x80")


def _graphql(data: bytes) -> object:
    return read_graphql({"query": data.decode("utf-8", "replace"), "variables": {"a": 1}}, False, ONE_OPERATION)


TERMS = OperationTerms(5, MappingProxyType({"user": "{ user { id } }", "a" * 64: "{ pay }"}), True)


def _operations(data: bytes) -> object:
    return read_graphql(strict_json.parse(data), False, TERMS)


READERS: dict[str, Callable[[bytes], object]] = {
    "form": lambda data: read_form(data, ("a",)),
    "multipart": lambda data: read_multipart(data, "B", ("a",)),
    "boundary": lambda data: boundary_of(data.decode("latin-1")),
    "lines": read_lines,
    "graphql": _graphql,
    "operations": _operations,
    "message": lambda data: read_grpc(data, "/a.B/c"),
    "fields": _fields,
}


def fuzzed(reader: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def once(data: bytes) -> None:
        try:
            reader(data)
        except Refused as refused:
            assert refused.fault is not None and refused.fault.problem

    return once


if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, fuzzed(READERS[name]))
    atheris.Fuzz()
