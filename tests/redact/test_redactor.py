"""What redaction promises of JSON, for documents that nobody thought of."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.core.decision import Redact, Target
from aegis_authz.core.json_value import Json
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.sanitizer import Sanitizer

_MARKER = re.compile(rb"\[REDACTED(?::[a-z_]+)?\](?:#[0-9]+)?")
HELD = st.sampled_from(
    [
        *(
            "123-45-6789",
            "4111 1111 1111 1111",
            "DE89370400440532013000",
            "jo@example.org",
            "\\bob@x.org",
            "\u4000bob@x.org",
        ),
        *(
            "+49 30 12345678",
            "born 1980-02-29",
            "AKIAIOSFODNN7EXAMPLE",
            '{"a":"123-45-6789","n":4111111111111111}',
            '"',
            "\\",
        ),
        *("%31", "&#49;", "<b>", "\n", "\t", "\x7f", "\u2028", "{", "}]"),
    ]
)
TEXTS = st.lists(st.text(max_size=5) | HELD, max_size=4).map("".join)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def sanitizer() -> Sanitizer:
    return Sanitizer((Redact(Target.RESPONSE, tuple(DETECTORS), ()),), Target.RESPONSE, False, None)


def shape(value: Json) -> Json:
    """The value with every text emptied, and members without their names."""
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return ["list", *map(shape, value)]
    return "" if isinstance(value, str) else value


@settings(max_examples=400, deadline=None)
@given(document=DOCUMENTS, is_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_json_stays_json_of_the_same_shape_and_what_is_no_marker_as_it_was(
    document: Json, is_ascii: bool, indent: int | None
) -> None:
    body = json.dumps(document, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")
    shown = sanitizer().json(body)
    read: Json = json.loads(shown.decode("utf-8", "surrogatepass"))
    assert shape(read) == shape(document)
    pieces = _MARKER.split(shown)
    assert body.startswith(pieces[0]) and body.endswith(pieces[-1])
    place = 0
    for piece in pieces:
        place = body.index(piece, place) + len(piece)


@pytest.mark.parametrize("is_rpc", [False, True])
@pytest.mark.parametrize(
    "written",
    [
        r"%123-45-678\u0039",
        r"%25123-45-6789",
        r"%25123-45-678\u0039",
        r"&amp;#123-45-6789",
        r"&#123-45-678\u0039",
        r"&#x123-45-678\u0039",
        r"\\x123-45-678\u0039",
        r"<a 123-45-678\u0039>",
        r"<?123-45-678\u0039?>",
        r"%123-45-678&#57;",
        r"<a 123-45-678%39>",
        r"&#123-45-678%39",
    ],
)
def test_what_stands_before_a_number_in_another_notation_takes_no_digit_of_it(written: str, is_rpc: bool) -> None:
    body = f'{{"jsonrpc":"2.0","text":"{written}"}}'
    cleaner = Sanitizer([Redact(Target.REQUEST, ("us_ssn",), ())], Target.REQUEST, is_rpc=is_rpc, rpc_id=None)
    for _ in range(3):
        shown = cleaner.json(body.encode())
        assert b"[REDACTED:us_ssn]" in shown
        assert not re.search(rb"678.{0,9}(?:9|57)", shown)
        body = json.dumps({"jsonrpc": "2.0", "text": body})
