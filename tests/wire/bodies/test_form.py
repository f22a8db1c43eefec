"""Forms: what is read, what is refused and in what words, and that other readers read the same."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.fields import MAX_FIELDS
from aegis_authz.wire.bodies.form import read_form


def refusal(body: bytes, *repeated: str) -> Refused:
    with pytest.raises(Refused) as refused:
        read_form(body, repeated)
    return refused.value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"amount=4200&currency=usd", {"amount": "4200", "currency": "usd"}),
        (b"note=two+words%21&empty=", {"note": "two words!", "empty": ""}),
        (b"a=b=c&url=https://x.example/?q", {"a": "b=c", "url": "https://x.example/?q"}),
        (b"name=%E6%9D%B1+%E4%BA%AC", {"name": "\u6771 \u4eac"}),
        (b"text=line%0D%0Aline", {"text": "line\r\nline"}),
        (b"metadata[order]=7&metadata[by]=x", {"metadata": {"order": "7", "by": "x"}}),
        (b"metadata%5Border%5D=7", {"metadata": {"order": "7"}}),
        (b"expand[]=a&expand[]=b", {"expand": ["a", "b"]}),
        (b"a[b][]=1&a[b][]=2&a[c]=3", {"a": {"b": ["1", "2"], "c": "3"}}),
        (b"items[0][price]=p1&items[0][quantity]=2&items[1][price]=p2",
         {"items": [{"price": "p1", "quantity": "2"}, {"price": "p2"}]}),
        (b"items[0][a]=1&items[1][a]=2&items[0][b]=3", {"items": [{"a": "1", "b": "3"}, {"a": "2"}]}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"0=x&1=y", {"0": "x", "1": "y"}),
        (b"a[b][c][d][e][f]=deep", {"a": {"b": {"c": {"d": {"e": {"f": "deep"}}}}}}),
        (b"x=%2541", {"x": "%41"}),
    ],
)  # fmt: skip
def test_a_form_is_read_as_stripe_rack_and_php_read_it(body: bytes, value: dict[str, Any]) -> None:
    assert read_form(body, ()) == value


def test_a_name_is_repeated_where_the_catalogue_declares_a_list() -> None:
    assert read_form(b"id=1&id=2&q=x", ("id",)) == {"id": ["1", "2"], "q": "x"}
    assert refusal(b"id=1&id[]=2", "id").reason is Reason.DUPLICATE_KEY
    assert refusal(b"id[]=1&id=2", "id").reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    "body",
    [
        b"amount=1&amount=2",
        b"amount=1&Amount=2",
        b"amount=1&%EF%BD%81mount=2",
        b"a.b=1&a_b=2",
        b"a=1&a[b]=2",
        b"a[b]=1&a=2",
        b"a[]=1&a[b]=2",
        b"a[b]=1&a[]=2",
        b"a[0]=1&a[]=2",
        b"a[]=1&a[0]=2",
        b"a[b]=1&a[b]=2",
        b"a[b]=1&a[b][c]=2",
        b"a[b]=1&a[B]=2",
        b"a[0]=1&a[0]=2",
        b"a[0]=1&a[x]=2",
        b"a[x]=1&a[0]=2",
        b"a=1&a[]=2",
    ],
)  # fmt: skip
def test_a_field_in_two_places_or_spellings_is_refused(body: bytes) -> None:
    refused = refusal(body)
    assert refused.reason is Reason.DUPLICATE_KEY
    assert refused.fault is not None
    assert "is given twice, as two kinds of value, or in two spellings." in refused.fault.problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"a=1;b=2", "at character 4 a semicolon, which some readers take for a separator. Write %3B, or &."),
        (b"a=%zz", "at character 3 a percent sign that begins no escape. Write %25."),
        (b"a=%4", "at character 3 a percent sign that begins no escape. Write %25."),
        (b"a=x%00y", "at character 4 NUL, where some readers end."),
        (b"a=x y", "a byte that is not written as an escape. Write %XX of UTF-8."),
        (b"a=1\n", "a byte that is not written as an escape"),
        ("a=\u00e4".encode(), "a byte that is not written as an escape"),
        (b"a=%FF", 'The field "a" has an escape that is no UTF-8.'),
        (b"%C0%AEa=1", "has an escape that is no UTF-8."),
        (b"a", 'The pair "a" is not name=value'),
        (b"a&b=1", 'The pair "a" is not name=value'),
        (b"=1", "is not name=value"),
        (b"a=1&", "there is an & too many."),
        (b"a=1&&b=2", "there is an & too many."),
        (b"a[b=1", "The brackets in the name"),
        (b"a]=1", "The brackets in the name"),
        (b"[a]=1", "The brackets in the name"),
        (b"a[b]c=1", "The brackets in the name"),
        (b"a[[b]]=1", "The brackets in the name"),
        (b"a[][b]=1", "more stands behind []. Say which element it is, as in a[0][b]."),
        (b"a[1]=x", "skips an element. Number the elements of a list from 0, in order."),
        (b"a[0]=x&a[2]=y", "skips an element."),
        (b"a[b][c][d][e][f][g]=1", "is deeper than 6 levels."),
        (b"__proto__[admin]=1", "is taken for a prototype by readers in JavaScript."),
        (b"a[constructor][prototype][x]=1", "is taken for a prototype"),
        (b"_charset_=utf-16", "asks for another charset. Leave it out, and send UTF-8."),
        (b"a%0A=1", "holds a character that cannot be seen."),
        (b"a%E2%80%8B=1", "holds a character that cannot be seen."),
    ],
)  # fmt: skip
def test_what_readers_of_forms_read_differently_is_refused_and_says_what_to_change(body: bytes, problem: str) -> None:
    refused = refusal(body)
    assert refused.reason is Reason.FORM_MALFORMED
    assert refused.fault is not None
    assert problem in refused.fault.problem
    assert refused.fault.where == "body"


def test_a_hundred_thousand_fields_are_refused_before_they_are_read() -> None:
    body = b"&".join(b"a%d=1" % number for number in range(100_000))
    begun = time.process_time()
    assert refusal(body).fault is not None
    assert time.process_time() - begun < 0.05
    assert len(read_form(b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS)), ())) == MAX_FIELDS


PAIRS = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=12)), min_size=1, max_size=6)


@given(PAIRS)
def test_what_is_read_of_plain_names_is_what_python_reads(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs).encode()
    try:
        value = read_form(body, ())
    except Refused as refused:
        assert refused.reason in (Reason.FORM_MALFORMED, Reason.DUPLICATE_KEY)
        return
    if not any(mark in name for name, _ in pairs for mark in "[]"):
        assert value == dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)) == dict(pairs)


NAMES = st.from_regex(r"[ab](\[(?:[ab]|[01])?\]){0,3}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "2", "", "x y"])), min_size=1, max_size=6))
def test_what_is_read_of_nested_names_is_what_rack_reads(pairs: list[tuple[str, str]]) -> None:
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)
    try:
        value = read_form(body.encode(), ())
    except Refused as refused:
        assert refused.reason in (Reason.FORM_MALFORMED, Reason.DUPLICATE_KEY)
        return
    assert leaves(value) == sorted(pairs_of(pairs))


def pairs_of(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each pair with the place its name leads to; `[]` is the next element, as Rack and PHP append."""
    counts: dict[str, int] = {}
    placed = []
    for name, value in pairs:
        if name.endswith("[]"):
            counts[name] = counts.get(name, -1) + 1
            name = f"{name[:-2]}[{counts[name]}]"
        placed.append((name, value))
    return placed


def leaves(value: Any, at: str = "") -> list[tuple[str, str]]:
    """Every text in a value, by the name that a form writes for it."""
    if isinstance(value, str):
        return [(at, value)]
    members = value.items() if isinstance(value, dict) else enumerate(value)
    return sorted(leaf for name, member in members for leaf in leaves(member, f"{at}[{name}]" if at else str(name)))


@given(st.binary(max_size=60) | st.from_regex(rb"[ab\[\]0=&%+;.]{0,30}", fullmatch=True))
def test_any_bytes_are_a_value_or_one_refusal(body: bytes) -> None:
    try:
        value = read_form(body, ("b",))
    except Refused as refused:
        assert refused.reason in (Reason.FORM_MALFORMED, Reason.DUPLICATE_KEY)
        assert refused.fault is not None and refused.fault.where == "body"
        return
    assert isinstance(value, dict) and value


def test_long_names_are_read_and_not_remembered() -> None:
    read_form(b"a=1", ())
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(300):
            name = f"{number}%20" + "n" * 20_000
            assert read_form(f"{name}=1".encode(), ()) == {name.replace("%20", " "): "1"}
        assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
    finally:
        tracemalloc.stop()
