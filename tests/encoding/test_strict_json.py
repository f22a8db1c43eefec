from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

LONG = 4096
"""Blanks behind a text that change nothing, but for the way in which it is read."""
ODD_PARTS = (
    *(
        '"',
        "\\",
        "\\\\",
        '\\"',
        "\\u00",
        "\\u00e4",
        "\\ud83d",
        "\\ude00",
        "e",
        "K",
        "k",
        "\u212a",
        "\u00c4",
        "\u00df",
        "ss",
    ),
    *("{", "}", "[", "]", ":", ",", "1", ".", "-", "-0", "0.0", "true", "null", '"a":', '"A":', '"b\\"":', '"\\\\":'),
    *("1e5", "0.1", "12345678901234567", "18446744073709551616", "1.5e300", "0.30000000000000004", "1e-400"),
)
ODD_TEXTS = st.lists(st.sampled_from(ODD_PARTS), max_size=12).map("".join)


def outcome(data: bytes) -> tuple[str, object]:
    """What comes of a text: its value with its types, or that it is refused."""
    try:
        return "read", repr(strict_json.parse(data))
    except Refused:
        return "refused", None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a":1,"a":2}', Reason.DUPLICATE_KEY),
        ('{"amount":1,"Amount":2}', Reason.DUPLICATE_KEY),
        ('{"a":{"b":1,"B":2}}', Reason.DUPLICATE_KEY),
        ('{"amount":1,"amount ":2}', Reason.DUPLICATE_KEY),
        ('{"amount":1,"\\u0061mount":2}', Reason.DUPLICATE_KEY),
        ('{"amount":1,"am\\u200bount":2}', Reason.DUPLICATE_KEY),
        ('{"amount":1,"amount\\u0000":2}', Reason.DUPLICATE_KEY),
        ('{"a":[{"amount":1,"\uff41mount":2}]}', Reason.DUPLICATE_KEY),
        ('{"key":1,"\u212aey":2}', Reason.DUPLICATE_KEY),
        ('{"size":1,"\u017fize":2}', Reason.DUPLICATE_KEY),
        ('{"limit":1,"l\u0131mit":2}', Reason.DUPLICATE_KEY),
        ('{"limit":1,"L\u0130MIT":2}', Reason.DUPLICATE_KEY),
        ('{"__proto__":{"amount":2}}', Reason.MALFORMED_CALL),
        ('{"a":[{"__prot\\u006f__":1}]}', Reason.MALFORMED_CALL),
        ('{"constructor":{"prototype":{"amount":2}}}', Reason.MALFORMED_CALL),
        ("NaN", Reason.MALFORMED_CALL),
        ('{"a":Infinity}', Reason.MALFORMED_CALL),
        ("1e400", Reason.MALFORMED_CALL),
        ("1e-400", Reason.MALFORMED_CALL),
        ("1.2345e-320", Reason.MALFORMED_CALL),
        ("0.12345678901234567890123", Reason.MALFORMED_CALL),
        ("18446744073709551616", Reason.MALFORMED_CALL),
        ("9" * 5000, Reason.MALFORMED_CALL),
        ('"\\ud800"', Reason.MALFORMED_CALL),
        ("{'a':1}", Reason.MALFORMED_CALL),
        ('{"a":1,}', Reason.MALFORMED_CALL),
        ('{"a":1} {"a":2}', Reason.MALFORMED_CALL),
        ("", Reason.MALFORMED_CALL),
        ('"a\nb"', Reason.MALFORMED_CALL),
        ("\ufeff{}", Reason.MALFORMED_CALL),
        ("[" * 65 + "]" * 65, Reason.MALFORMED_CALL),
        ("[" * 100_000 + "]" * 100_000, Reason.MALFORMED_CALL),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else value.value,
)
@pytest.mark.parametrize("padding", [0, LONG], ids=["short", "long"])
def test_what_two_readers_could_take_differently_is_refused(text: str, reason: Reason, padding: int) -> None:
    with pytest.raises(Refused) as refused:
        strict_json.parse(text.encode() + b" " * padding)
    assert refused.value.reason is reason


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(Refused):
        strict_json.parse(b'{"a":"\xff"}')


@pytest.mark.parametrize("text", ["0.1", "4200.50", "1e2", "-0.0", "9007199254740993", "1.10", "5e-324"])
def test_numbers_that_a_double_or_64_bits_hold_are_kept_exactly(text: str) -> None:
    value = strict_json.parse(text.encode())
    assert isinstance(value, int | float)
    assert value == float(text) if "." in text or "e" in text else value == int(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a.b":1,"a_b":2}',
        '{"a":1,"a[]":2}',
        '{"constructor":"Acme","prototype":1}',
        '{"A":"\u212a","note":"am\u200bount "}',
        '{"\u30b9":1,"\u30ba":2}',
    ],
)
@pytest.mark.parametrize("padding", [0, LONG], ids=["short", "long"])
def test_names_that_every_reader_of_json_tells_apart_are_read(text: str, padding: int) -> None:
    assert len(strict_json.parse_object(text.encode() + b" " * padding)) > 0


def test_a_surrogate_pair_is_one_character() -> None:
    assert strict_json.parse(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_nesting_up_to_the_limit_is_read() -> None:
    assert strict_json.parse(b"[" * 63 + b"]" * 63)


@given(JSON_VALUES)
def test_what_is_read_is_what_was_written(value: Json) -> None:
    try:
        read = strict_json.parse(json.dumps(value).encode())
    except Refused as refused:
        assert refused.reason is Reason.DUPLICATE_KEY  # keys that differ only in case
    else:
        assert read == value


@given(st.binary(max_size=200))
def test_hostile_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = strict_json.parse(data)
    except Refused:
        return
    assert not isinstance(value, float) or math.isfinite(value)
    assert json.loads(data) == value


@given(JSON_VALUES, st.booleans())
def test_a_long_text_is_read_as_a_short_one(value: Json, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert outcome(data + b" " * LONG) == outcome(data)


@settings(max_examples=2000)
@given(ODD_TEXTS)
def test_a_long_text_is_refused_where_a_short_one_is(text: str) -> None:
    for data in (text.encode(), f"[{text}]".encode(), f"{{{text}}}".encode(), f'{{"a":1,{text}}}'.encode()):
        assert outcome(data + b" " * LONG) == outcome(data)


@settings(max_examples=1000)
@given(JSON_VALUES.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))) | ODD_TEXTS)
def test_a_text_as_a_machine_writes_it_is_read_as_one_with_a_blank(text: str) -> None:
    for data in (text.encode("utf-8", "surrogatepass"), f'{{"a":{text}}}'.encode("utf-8", "surrogatepass")):
        assert outcome(data + b" ") == outcome(data)


@pytest.mark.parametrize(
    "name", ["__proto__", "constructor", "A", "\u212a", "\u00e4", "\u00df", "a b", "a\u00a0", "\u0001", "\ud800"]
)
def test_names_are_judged_alike_however_a_text_is_written(name: str) -> None:
    for text in (f'{{"{name}":1}}', f'{{"{name}":1,"a":{{"prototype":1}}}}', f'[{{"a":1,"k":2,"ss":3,"{name}":1}}]'):
        data = text.encode("utf-8", "surrogatepass")
        assert outcome(data + b" ") == outcome(data)


@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * strict_json.MAX_VALUES + "{}]",
        "[{" + ",".join(f'"{number}":1' for number in range(strict_json.MAX_MEMBERS + 1)) + "}]",
        "[" + "1.50e0," * (strict_json.MAX_WEIGHED + 1) + "1]",
        "[" * 60_000 + "]" * 60_000,
    ],
    ids=["values", "members", "numbers", "depth"],
)
def test_a_text_of_more_parts_than_can_be_judged_in_time_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="more than"):
        strict_json.parse(text.encode())


@pytest.mark.parametrize("number", ["1234.5678", "0.1234567890123456", "-1.5e-07", "1700000000000000001"])
def test_ten_thousand_numbers_are_read(number: str) -> None:
    text = f"[{','.join([number] * 10_000)}]"
    assert strict_json.parse(text.encode()) == [json.loads(number)] * 10_000


PARTS = st.sampled_from(
    ("1", "[", "]", "{", "}", '"', ",", ":", '"a"', '"A"', "1.0", "-0", "\\u0061", " ", '{"a":1}', "[2]")
)
LINES = st.lists(st.lists(PARTS, min_size=1, max_size=5).map(lambda parts: "".join(parts).encode()), max_size=5)


@given(LINES)
def test_texts_read_together_are_what_each_is_by_itself(texts: list[bytes]) -> None:
    values = strict_json.parse_canonical(texts)
    assert values is None or values == [strict_json.parse(text) for text in texts]


@pytest.mark.parametrize(
    "texts",
    [
        [b'"a', b'b"', b"1"],
        [b"[1", b"2]"],
        [b'{"a":1', b'"b":2}'],
        [b'{"a":1,"a":2}'],
        [b'{"a":1,"A":2}'],
        [b"[" * (strict_json.MAX_DEPTH + 1) + b"]" * (strict_json.MAX_DEPTH + 1)],
        [b"1", b"2,3"],
        [b"1.0e1"],
        [b"\xff"],
        [b"1" * 1025],
    ],
)
def test_texts_of_which_one_is_in_doubt_are_not_read_together(texts: list[bytes]) -> None:
    assert strict_json.parse_canonical(texts) is None


def test_texts_in_the_usual_form_are_read_together() -> None:
    texts = [b'{"a":1}'] * (strict_json.MAX_DEPTH + 1)
    assert strict_json.parse_canonical(texts) == [{"a": 1}] * len(texts)
