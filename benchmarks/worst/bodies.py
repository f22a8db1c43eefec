"""The dearest bodies of each format, as the reader of bodies takes them from a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from aegis_authz.core.catalogue import MAX_TOKENS, ONE_OPERATION, Action, BodyFormat
from aegis_authz.core.interface import NO_INTERFACE, Interface
from aegis_authz.encoding import folding
from aegis_authz.encoding.strict_json import MAX_MEMBERS, MAX_VALUES, MAX_WEIGHED
from aegis_authz.wire.bodies import fields, form, graphql_document
from aegis_authz.wire.bodies.fields import MAX_FIELDS
from aegis_authz.wire.bodies.lines import MAX_LINES
from aegis_authz.wire.bodies.reader import FORM_TYPE, LINES_TYPE, MULTIPART_TYPE, read_body
from aegis_authz.wire.http.call import HttpCall
from benchmarks.worst.cases import SIZES, Case, Kind, joined
from benchmarks.worst.messages import MESSAGE_SHAPES, SCHEMA

_BOUNDARY = "b"
_PATH = "/v1.Service/Call"
_TYPES: Mapping[BodyFormat, str] = {
    BodyFormat.JSON: "application/json",
    BodyFormat.FORM: FORM_TYPE,
    BodyFormat.MULTIPART: f"{MULTIPART_TYPE}; boundary={_BOUNDARY}",
    BodyFormat.LINES: LINES_TYPE,
    BodyFormat.TEXT: "text/plain",
    BodyFormat.BINARY: "application/octet-stream",
    BodyFormat.GRAPHQL: "application/json",
    BodyFormat.MESSAGE: "application/grpc",
}
_ODD = "\u0130"
"""A letter that takes two to write small, and whose name is looked at letter by letter."""
_WIDE = "\uff41"
_HALF = MAX_VALUES // 2 - 2


@dataclass(frozen=True, slots=True)
class Shape:
    """A body of a size, as near to it as the format lets it be. `interface` is what is known of its messages."""

    words: str
    body: Callable[[int], bytes]
    taken: bool = True
    interface: Interface = NO_INTERFACE


def _repeated(before: str, unit: str, after: str) -> Callable[[int], bytes]:
    def text(size: int) -> bytes:
        room = size - len((before + after).encode())
        return (before + unit * max(1, room // len(unit.encode())) + after).encode()

    return text


JSON_SHAPES = (
    Shape("small integers", joined("[", lambda _: "1", "]", MAX_VALUES - 2)),
    Shape("small integers with spaces", joined("[", lambda _: " 1", "]", MAX_VALUES - 2)),
    Shape("empty objects", joined("[ ", lambda _: "{}", "]", _HALF)),
    Shape("short names", joined("{ ", lambda n: f'"{n:x}":1', "}", MAX_MEMBERS - 1)),
    Shape("names in other letters", joined("{ ", lambda n: f'"{_ODD}{n:x}":1', "}", MAX_MEMBERS - 1)),
    Shape("such names in escapes", joined("{", lambda n: f'"\\u0130{n:x}":1', "}", MAX_MEMBERS - 1)),
    Shape("objects of a name in other letters", joined("[ ", lambda _: f'{{"{_ODD}":1}}', "]", _HALF // 2)),
    Shape("objects of two such", joined("[ ", lambda _: f'{{"{_ODD}":1,"{_WIDE}":1}}', "]", _HALF // 3)),
    Shape("numbers next to nothing", joined("[ ", lambda _: "5e-324", "]", MAX_WEIGHED)),
    Shape("such numbers, oddly written", joined("[ ", lambda _: "5.0e-324", "]", MAX_WEIGHED)),
    Shape("numbers with exponents", joined("[ ", lambda _: "1e22", "]", MAX_WEIGHED)),
    Shape("numbers of 17 digits", joined("[", lambda n: repr(0.1 + n / 3e5), "]", MAX_WEIGHED)),
    Shape("64 levels", joined("[", lambda _: "[" * 60 + "]" * 60, "]", _HALF // 61)),
    Shape("a text of escapes", _repeated('"', "\\u4e00", '"')),
    Shape(
        "a member twice, the last",
        joined('{"0": 1,', lambda n: f'"{n + 1:x}":1', ',"0":1}', MAX_MEMBERS - 3),
        taken=False,
    ),
    Shape(
        "the last in other letters",
        joined(f'{{"{_WIDE}": 1,', lambda n: f'"{_ODD}{n:x}":1', ',"a":1}', MAX_MEMBERS - 3),
        taken=False,
    ),
    Shape("no end", joined("[", lambda n: f'{{"{n:x}":1}}', "", _HALF // 3), taken=False),
)
FORM_SHAPES = (
    Shape("short names", joined("", lambda n: f"{n:x}=", "", MAX_FIELDS, "&")),
    Shape("six levels", joined("", lambda n: f"{n:x}[a][a][a][a][a]=", "", MAX_FIELDS, "&")),
    Shape("elements by number", joined("", lambda n: f"a[{n}]=", "", MAX_FIELDS, "&")),
    Shape("names in other letters", joined("", lambda n: f"%C4%B0{n:x}=", "", MAX_FIELDS, "&")),
    Shape("such names, nested", joined("", lambda n: f"%C4%B0{n:x}[%C4%B0][%C4%B0]=", "", MAX_FIELDS, "&")),
    Shape("a text of escapes", _repeated("a=", "%C4%B0", "")),
    Shape("a name twice, the last", joined("0=&", lambda n: f"{n + 1:x}=", "&0=", MAX_FIELDS - 2, "&"), taken=False),
)


def _part(head: str) -> str:
    return f"--{_BOUNDARY}\r\ncontent-disposition:form-data;{head}\r\n\r\n\r\n"


_PARTS_END = f"--{_BOUNDARY}--\r\n"
MULTIPART_SHAPES = (
    Shape("short names", joined("", lambda n: _part(f'name="{n:x}"'), _PARTS_END, MAX_FIELDS, "")),
    Shape(
        "such names in other letters",
        joined("", lambda n: _part(f'name="{_ODD}{n:x}[{_ODD}][{_ODD}]"'), _PARTS_END, MAX_FIELDS, ""),
    ),
    Shape("empty files", joined("", lambda n: _part(f'name="{n:x}";filename="a"'), _PARTS_END, MAX_FIELDS, "")),
    Shape(
        "one text of beginnings of boundaries",
        _repeated(_part('name="a"').removesuffix("\r\n"), "\r\n--", f"\r\n{_PARTS_END}"),
    ),
)
LINE_SHAPES = (
    Shape("short lines", joined("", lambda _: "1", "", MAX_LINES, "\n")),
    Shape("small objects", joined("", lambda _: '{"a": 1}', "", MAX_LINES, "\n")),
    Shape("names in other letters", joined("", lambda _: f'{{"{_ODD}":1,"{_WIDE}": 1}}', "", MAX_LINES, "\n")),
    Shape("numbers next to nothing", joined("", lambda _: "[ 5.0e-324,5.0e-324]", "", MAX_LINES, "\n")),
    Shape("no end", joined("", lambda _: "[1]", "\n[", MAX_LINES - 2, "\n"), taken=False),
)
TEXT_SHAPES = (Shape("letters of three bytes", _repeated("", "\u4e00", "")),)
BINARY_SHAPES = (Shape("bytes", _repeated("", "a", "")),)
_TOKENS = MAX_TOKENS - 8
"""But for those around the units of a shape."""


def _query(text: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        return orjson.dumps({"query": text(size - len('{"query":""}')).decode()})

    return body


def _spread(size: int) -> bytes:
    """A fragment as large as it may be, spread as often as fields may be counted."""
    return b"{" + b"...f " * 28 + b"} fragment f on T {" + b"a " * 32 + b"}"


def _levels(size: int) -> bytes:
    return b"{a" * 31 + b"}" * 31


GRAPHQL_SHAPES = (
    Shape("a field again and again", _query(joined("{", lambda _: "a", "}", _TOKENS, " "))),
    Shape("short fields", _query(joined("{", lambda n: f"a{n:x}", "}", _TOKENS, " "))),
    Shape("short arguments", _query(joined("{a(", lambda n: f"a{n:x}:1", ")}", _TOKENS // 3, " "))),
    Shape("a list of objects", _query(joined("{a(b:[", lambda _: "{a:1}", "])}", _TOKENS // 5, " "))),
    Shape("a fragment spread", _query(_spread)),
    Shape("many levels", _query(_levels)),
    Shape("a text of escapes", _query(_repeated('{a(b:"', "\\u0041", '")}'))),
    Shape("a text in a block", _query(_repeated('{a(b:"""', "\n a", '""")}'))),
    Shape("commas", _query(_repeated("{", ",", "a}"))),
)
SHAPES: Mapping[BodyFormat, Sequence[Shape]] = {
    BodyFormat.JSON: JSON_SHAPES,
    BodyFormat.FORM: FORM_SHAPES,
    BodyFormat.MULTIPART: MULTIPART_SHAPES,
    BodyFormat.LINES: LINE_SHAPES,
    BodyFormat.TEXT: TEXT_SHAPES,
    BodyFormat.BINARY: BINARY_SHAPES,
    BodyFormat.GRAPHQL: GRAPHQL_SHAPES,
    BodyFormat.MESSAGE: tuple(Shape(words, body, interface=SCHEMA) for words, body in MESSAGE_SHAPES.items()),
}
"""By format; a test holds them to all that there are."""


def request(body: bytes, content_type: str, query: str = "") -> HttpCall:
    """A call of an action as Envoy tells of it."""
    headers = {"content-type": (content_type,)}
    return HttpCall(
        *("r", "POST", "http", "dear.example", None, _PATH, query, headers, body, "", "", "", "", "", False)
    )


def cases() -> Iterator[Case]:
    """Every shape in every size, those once that come to the same."""
    for body_format in BodyFormat:
        for shape in SHAPES[body_format]:
            for body in dict.fromkeys(map(shape.body, sizes_of(body_format))):
                yield _case(body_format, shape, body)


def sizes_of(body_format: BodyFormat) -> Sequence[int]:
    """As long as bodies of that format may be."""
    return (SIZES[0], 2 * SIZES[0], SIZES[1]) if body_format is BodyFormat.GRAPHQL else SIZES


def _case(body_format: BodyFormat, shape: Shape, body: bytes) -> Case:
    others = body_format is BodyFormat.MESSAGE
    action = Action("call", "POST", ("v1.Service", "Call"), (), others, (body_format,), ONE_OPERATION)
    read = partial(read_body, request(body, _TYPES[body_format]), _PATH, action, shape.interface)
    return Case(
        *(Kind.BODY, body_format.value, shape.words, len(body), len(body), read), taken=shape.taken, forget=forget
    )


def forget() -> None:
    """Nobody sends the same names and documents again who wants them to be dear."""
    folding._remembered.cache_clear()
    fields._remembered.cache_clear()
    form._remembered.cache_clear()
    graphql_document.read_document.cache_clear()
