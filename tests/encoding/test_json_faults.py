from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

LONG = b" " * 4096
"""Blanks behind a text that change nothing, but for the way in which it is read."""


def refusal_of(data: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        strict_json.parse(data)
    return refused.value


@pytest.mark.parametrize("tail", [b"", LONG])
@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        (b'{"amount":4200,}', "line 1, column 15", "trailing comma"),
        (b'{\n  "amount" 4200\n}', "line 2, column 12", "expected ':'"),
        (b"{'amount':1}", "line 1, column 2", "expected a string key"),
        (b'{"a":"\x01"}', "line 1, column 7", "control character"),
        (b'{"a":1}x', "line 1, column 8", "after document"),
        (b'{\n "\xc3\xa4": "\xff"}', "line 2, column 8", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "line 1, column 1", "BOM"),
        (b"amount=42", "line 1, column 1", "expected a JSON value"),
        (b'{"x":{"a":1,"a":2}}', "a", 'the member "a" twice'),
        (b'{"a":1,"A":2}', "A", 'the member "A" twice'),
        (b'{"n":18446744073709551616}', "", "does not fit 64 bits"),
        (b'{"n":0.12345678901234567890}', "", '"0.12345678901234567890" has more digits than a double'),
        (b"[" * 65 + b"]" * 65, "", "more than 64 levels"),
    ],
)
def test_a_refusal_says_where_a_json_text_is_wrong_and_how(text: bytes, at: str, words: str, tail: bytes) -> None:
    fault = refusal_of(text + tail).fault
    assert fault is not None
    assert (fault.where, fault.at) == ("body", at)
    assert words in fault.problem


def test_the_name_of_a_double_member_is_not_looked_for_in_a_long_text() -> None:
    long = b'{"a":1,"a":2,"b":"' + b"x" * 20_000 + b'"}'
    fault = refusal_of(long).fault
    assert fault is not None and "names a member twice" in fault.problem


def test_what_is_for_the_record_holds_no_value_and_no_name_of_the_text() -> None:
    for text in (b'{"secret":1,"secret":2}', b'{"n":0.12345678901234567890}', b'{"n":123456789012345678901}'):
        detail = refusal_of(text).detail
        assert "secret" not in detail and "12345" not in detail


@given(st.binary(max_size=200), st.sampled_from([b"", LONG]))
def test_every_refusal_of_a_text_tells_its_author_why(data: bytes, tail: bytes) -> None:
    try:
        strict_json.parse(data + tail)
    except Refused as refusal:
        assert refusal.fault is not None and refusal.fault.problem
