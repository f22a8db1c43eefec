"""The dearest texts for each detector, and the dearest bodies for each filter with all of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from aegis_authz.core.decision import OwnDetector, Redact, RedactionTerms, Target
from aegis_authz.redact import bodies
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.parts import form_boundary
from aegis_authz.redact.sanitizer import Sanitizer
from benchmarks.worst.cases import KIB, Case, Kind, joined

SIZES = (1 * KIB, 64 * KIB)
"""Bytes; what a KiB costs is the same for longer ones."""
OWN = "own"
"""The row of detectors that policy defines."""
_OWN = OwnDetector(OWN, r"[a-z]{1,8}[0-9]{1,8}", "luhn")
_CHUNK = 1400
"""Bytes of a body that come at once, as packets bring them."""
_BOUNDARY = "b"

COMMON: Mapping[str, str] = {
    "digits written as percent": "%31%32%33",
    "full-width digits": "\uff11\uff12\uff13",
    "escapes twice": "\\\\u0031%2531&amp;#49;",
    "letters of two bytes that fold": "\u00e9",
    "Base64 of digits": base64.b64encode(b"123 45 678 ").decode() + " ",
    "tags without an end": "<a x=' ",
    "comments without an end": "<!--",
    "zero-width signs": "1\u200b",
}
"""Units that are dear to read whatever is looked for."""
NEAR: Mapping[str, Mapping[str, str]] = {
    "us_ssn": {
        "numbers": "123-45-6789 ",
        "numbers never issued": "000-45-6789 ",
        "words for them": "ssn ",
        "words and digits": "ssn 123456789 ",
        "digits in groups": "123 45 6789 ",
    },
    "date_of_birth": {
        "words for birth": "dob ",
        "words and dates": "dob 1/1/80 ",
        "words and no dates": "dob 39/39/80 ",
        "words and years": "born 1980 1980 ",
        "words and months": "dob may may 1 ",
    },
    "credit_card": {
        "groups that begin as cards do": "4123 ",
        "numbers": "4111111111111111 ",
        "numbers with another proof": "4111111111111112 ",
        "digits": "4",
    },
    "iban": {
        "beginnings": "DE89 ",
        "numbers": "DE89370400440532013000 ",
        "numbers with another proof": "DE88370400440532013000 ",
        "longest beginnings": "MT84MALT011000012345MTLCAST001 ",
    },
    "email": {
        "addresses": "a@b.co ",
        "beginnings": "a@b",
        "domains without an end": "a@b.b.b.b.b.b.b.b.",
        "addresses of many letters": f"{'a' * 60}@b.co ",
    },
    "phone": {
        "numbers": "+1 212 555 0100 ",
        "words for them": "tel: ",
        "words and digits": "tel: 212 55",
        "beginnings": "+1 ",
        "digits in groups": "212 555 ",
    },
    "secrets": {
        "heads": "eyJ",
        "heads of many forms": "sk-AKIA",
        "passwords in addresses": "a://:",
        "long heads": f"eyJ{'a' * 400}.",
        "keys without an end": "-----BEGIN PRIVATE KEY-----a ",
        "assignments": "api_key: a1",
    },
    OWN: {"matches without a proof": "a1 ", "long beginnings": "abcdefgh"},
}
"""Units of each detector's own: what it finds, and what only looks so. A test holds them to all that there are."""


def _text(unit: str, size: int) -> bytes:
    data = unit.encode()
    return data * max(1, size // len(data))


def _sanitizer(detectors: tuple[str, ...], is_loose: bool, own: tuple[OwnDetector, ...]) -> Sanitizer:
    terms = RedactionTerms(Target.RESPONSE, is_loose, False, False, own)
    return Sanitizer((Redact(Target.RESPONSE, detectors, ()), terms), Target.RESPONSE, False, None)


def cases() -> Iterator[Case]:
    """Every unit for every detector it may concern; then the filters, with all detectors at once."""
    for detector, units in NEAR.items():
        names, own = ((), (_OWN,)) if detector == OWN else ((detector,), ())
        for words, unit in (*units.items(), *COMMON.items()):
            for text in dict.fromkeys(_text(unit, size) for size in SIZES):
                read = partial(_redacted, names, own, text)
                yield Case(Kind.DETECTOR, detector, words, len(text), len(text), read)
    for kind, shapes in FILTERS.items():
        for words, body in shapes.items():
            for data in dict.fromkeys(map(body, SIZES)):
                yield Case(Kind.FILTER, kind.__name__, words, len(data), len(data), partial(_filtered, kind, data))


def _redacted(names: tuple[str, ...], own: tuple[OwnDetector, ...], text: bytes) -> object:
    return _sanitizer(names, True, own).plain_bytes(text)


def _filtered(kind: type[bodies.BodyFilter], data: bytes) -> object:
    sanitizer = _sanitizer(tuple(DETECTORS), False, ())
    passing: bodies.BodyFilter
    if kind is bodies.MixedBody:
        passing = bodies.MixedBody(sanitizer, form_boundary(f"multipart/form-data; boundary={_BOUNDARY}"))
    else:
        passing = kind(sanitizer)  # type: ignore[call-arg]  # the protocol says nothing of how one is made
    shown = [passing.feed(data[place : place + _CHUNK]) for place in range(0, len(data), _CHUNK)]
    return b"".join((*shown, passing.finish()))


def _units(unit: str, before: str = "", after: str = "") -> Callable[[int], bytes]:
    return lambda size: before.encode() + _text(unit, size - len(before) - len(after)) + after.encode()


def _nested(size: int) -> bytes:
    """JSON in a text in JSON in a text, of small texts."""
    text = json.dumps(["4123 "] * (size // 24))
    return json.dumps({"a": json.dumps({"a": text})}).encode()


_PART = f'--{_BOUNDARY}\r\ncontent-disposition:form-data;name="a"\r\n\r\n4123 \r\n'
_PIECE = '{"index":0,"delta":{"content":"4123 "}}'
_DELTA = '{"choices":[{"delta":{"content":"4123 "}}]}'
_MOST_EVENTS = 10_000


def _numbered_delta(number: int) -> str:
    """No event as the one before but for its piece."""
    return f'{{"n":{number},"delta":"4123 "}}'


FILTERS: Mapping[type[bodies.BodyFilter], Mapping[str, Callable[[int], bytes]]] = {
    bodies.JsonBody: {
        "small texts": _units('"4123",', "[", "0]"),
        "texts with escapes": _units('"\\u0034123 ",', "[", "0]"),
        "objects": _units('{"a@b.co":"4123 "},', "[", "0]"),
        "one text of addresses": _units("a@b.co ", '"', '"'),
        "JSON in texts": _nested,
        "JSON in many texts": _units('"[\\"4123 \\"]",', "[", "0]"),
    },
    bodies.TextBody: {"groups that begin as cards do": _units("4123 "), "addresses": _units("a@b.co ")},
    bodies.FormBody: {"groups that begin as cards do": _units("a=4123+&"), "escapes": _units("a=%34123&")},
    bodies.LineBody: {
        "small lines": _units("1\n"),
        "small texts": _units('"4123 "\n'),
        "small values": _units("a@b.co\n"),
        "small escapes": _units("&#1;\n"),
    },
    bodies.MixedBody: {"small parts": _units(_PART, "", f"--{_BOUNDARY}--\r\n"), "no parts": _units("4123 ")},
    bodies.LineStream: {
        "small lines": _units("1\n"),
        "small values": _units("a@b.co\n"),
        "lines of two kinds": _units("1\n{}\n"),
        "small escapes": _units("&#1;\n"),
        "texts in pieces": _units(f"{_DELTA}\n"),
        "texts in pieces, numbered": joined("", _numbered_delta, "\n", _MOST_EVENTS, "\n"),
    },
    bodies.EventStream: {
        "small events": _units("data:1\n\n"),
        "small values": _units("data:a@b.co\n\n"),
        "events with names": _units("id:1\ndata:1\n\n"),
        "texts in pieces": _units(f"data:{_DELTA}\n\n"),
        "texts in pieces, numbered": joined("data:", _numbered_delta, "\n\n", _MOST_EVENTS, "\n\ndata:"),
        "pieces of one event": _units(_PIECE + ",", 'data:{"choices":[', _PIECE + "]}\n\n"),
        "lines of one event": lambda size: _text("data:4\n", size) + b"\n",
        "empty lines": _units("\n"),
        "comments": _units(":\n"),
    },
}
"""By filter; a test holds them to all that look at a body."""
