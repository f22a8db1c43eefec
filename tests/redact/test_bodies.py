from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aegis_authz.core.decision import FilterTools, Obligation, Redact, RedactionTerms, Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact import bodies as body_filter
from aegis_authz.redact.bodies import UNKNOWN_HEAD, BodyFacts, filter_for
from aegis_authz.redact.sanitizer import Sanitizer

SSN = "123-45-6789"
SECRET = SSN.encode()
EVENTS = (
    'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"n","params":{"s":"é 123-45-6789 \u2028"}}\n\n'
    ": ping 123-45-6789\n\n"
    "id: 2\ndata:\nretry: 5\n\n"
    'data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"x":"123-45-6789"}}\n\n'
).encode()
REDACTED = (
    'id: 1\nevent: message\ndata: {"jsonrpc":"2.0","method":"n","params":{"s":"é [REDACTED:us_ssn] \u2028"}}\n\n'
    ": ping [REDACTED:us_ssn]\n\n"
    "id: 2\ndata:\nretry: 5\n\n"
    'data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"x":"[REDACTED:us_ssn]"}}\n\n'
).encode()


def sanitizer(*obligations: Obligation, is_rpc: bool = False) -> Sanitizer:
    return Sanitizer(obligations or (Redact(Target.RESPONSE, ("us_ssn",), ()),), Target.RESPONSE, is_rpc, 1)


def facts(content_type: str | None, status: int = 200, encoding: str = "", is_partial: bool = False) -> BodyFacts:
    return BodyFacts(status, (content_type,) if content_type else (), (encoding,) if encoding else (), is_partial)


def run(head: BodyFacts, body: bytes, cleaner: Sanitizer | None = None, cuts: tuple[int, ...] = ()) -> bytes:
    chosen = filter_for(head, cleaner or sanitizer())
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    shown = [chosen.feed(body[start:end]) for start, end in pairwise(places)]
    assert chosen.streams or not any(shown), "something was shown before the whole was judged"
    return b"".join(shown) + chosen.finish()


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/problem+json; charset=UTF-8", None, "text/plain"]
)
def test_json_is_redacted_as_json_whatever_it_is_called(content_type: str | None) -> None:
    body = b'{"a":"\\u0031\\u0032\\u0033-45-6789","n":123456789}'
    assert run(facts(content_type), body, cuts=(3, 9)) == b'{"a":"[REDACTED:us_ssn]","n":123456789}'


def test_a_body_without_a_head_is_judged_by_its_content() -> None:
    assert run(UNKNOWN_HEAD, b'{"a":"123-45-6789"}') == b'{"a":"[REDACTED:us_ssn]"}'
    assert run(UNKNOWN_HEAD, b"a=123-45-6789") == b"a=[REDACTED:us_ssn]"


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", b"no 123-45-6789 here", b"no [REDACTED:us_ssn] here"),
        ("text/html; charset=utf-8", b"<b>123&#45;45-6789</b>", b"<b>[REDACTED:us_ssn]</b>"),
        ("application/x-www-form-urlencoded", b"ssn=123%2D45%2D6789", b"ssn=[REDACTED:us_ssn]"),
        ("application/x-ndjson", b'{"a":"123-45-6789"}\n{"b":1}\n', b'{"a":"[REDACTED:us_ssn]"}\n{"b":1}\n'),
        ("text/plain", b"", b""),
        ("image/png", b"", b""),
        ("application/json", b"", b""),
    ],
)
def test_text_is_redacted_as_text(content_type: str, body: bytes, expected: bytes) -> None:
    assert run(facts(content_type), body) == expected


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        (facts("application/json"), '{"a":1}'.encode("utf-16-be"), Reason.MALFORMED_CALL),
        (facts("text/plain"), "{}".encode("utf-16-le"), Reason.MALFORMED_CALL),
        (facts("text/plain; charset=utf-16"), b"x", Reason.MALFORMED_CALL),
        (facts("text/plain; charset=shift_jis"), b"x", Reason.MALFORMED_CALL),
        (facts("text/plain; charset=utf-7"), b"x", Reason.MALFORMED_CALL),
        (facts("text/plain; charset=ibm037"), b"x", Reason.MALFORMED_CALL),
        (facts("image/png"), b"x", Reason.MALFORMED_CALL),
        (facts("application/octet-stream"), b"x", Reason.MALFORMED_CALL),
        (facts("multipart/form-data; boundary=x"), b"x\0", Reason.MALFORMED_CALL),
        (facts("application/json", encoding="gzip"), b"x", Reason.CONTENT_ENCODED),
        (facts("application/json", encoding="identity, br"), b"x", Reason.CONTENT_ENCODED),
        (facts("application/json", status=206), b"{}", Reason.MALFORMED_CALL),
        (facts("application/json", is_partial=True), b"{}", Reason.MALFORMED_CALL),
        (facts("application/json", status=101), b"", Reason.MALFORMED_CALL),
        (facts("application/json", status=304), b"{}", Reason.MALFORMED_CALL),
        (BodyFacts(200, ("application/json", "text/plain"), (), False), b"{}", Reason.AMBIGUOUS_HEADERS),
    ],
)
def test_what_cannot_be_judged_is_refused(head: BodyFacts, body: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        run(head, body)
    assert refused.value.reason is reason


def test_a_body_over_the_limit_is_refused_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_filter, "BODY_LIMIT", 100)
    chosen = filter_for(facts("application/json"), sanitizer())
    chosen.feed(b"x" * 100)
    with pytest.raises(Refused) as refused:
        chosen.feed(b"x")
    assert refused.value.reason is Reason.BODY_TRUNCATED


@given(cuts=st.lists(st.integers(0, len(EVENTS) + 20), max_size=12), ending=st.sampled_from(["\n", "\r", "\r\n"]))
def test_events_may_be_split_anywhere_and_end_in_any_way(cuts: list[int], ending: str) -> None:
    body = b"\xef\xbb\xbf" + EVENTS.replace(b"\n", ending.encode())
    shown = run(facts("text/event-stream"), body, sanitizer(is_rpc=True), tuple(cuts))
    assert shown == REDACTED


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_events_come_byte_by_byte_and_each_is_shown_when_it_is_whole(ending: bytes) -> None:
    chosen = filter_for(facts("text/event-stream"), sanitizer(is_rpc=True))
    body = EVENTS.replace(b"\n", ending)
    first = body.index(ending * 2) + len(ending) + 1
    assert b"".join(chosen.feed(body[i : i + 1]) for i in range(first)) == REDACTED[: REDACTED.index(b"\n\n") + 2]
    rest = b"".join(chosen.feed(body[i : i + 1]) for i in range(first, len(body)))
    assert REDACTED.endswith(rest) and rest


def test_an_event_left_open_at_the_end_is_dropped() -> None:
    assert run(facts("text/event-stream"), b"data: a\n\ndata: 123-45-6789\n") == b"data: a\n\n"


def test_events_that_are_no_json_are_redacted_as_text() -> None:
    body = b"data: [DONE] 123-45-6789\ndata: x\n\n"
    assert run(facts("text/event-stream"), body) == b"data: [DONE] [REDACTED:us_ssn]\ndata: x\n\n"
    assert run(facts("text/event-stream"), body, sanitizer(is_rpc=True)) == run(facts("text/event-stream"), body)


@pytest.mark.parametrize("body", [b"data: " + b"x" * 200, b"data: x\n" * 40, b"data: " + b"123-45-6789 " * 7 + b"\n\n"])
def test_an_event_over_the_limit_is_refused_before_and_after(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(body_filter, "EVENT_LIMIT", 100)
    with pytest.raises(Refused) as refused:
        run(facts("text/event-stream"), body)
    assert refused.value.reason is Reason.BODY_TRUNCATED


def test_an_event_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(Refused):
        run(facts("text/event-stream"), b"data: \xff\n\n")


def test_a_list_of_tools_is_filtered_in_json_and_in_events() -> None:
    cleaner = sanitizer(FilterTools(("read",)), is_rpc=True)
    message = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "read"}, {"name": "delete"}]}}
    for head, body in (
        (facts("application/json"), json.dumps(message).encode()),
        (facts("text/event-stream"), b"data: " + json.dumps(message).encode() + b"\n\n"),
    ):
        shown = run(head, body, cleaner)
        assert b"read" in shown and b"delete" not in shown


def test_a_list_of_tools_in_another_form_is_refused_unless_it_is_an_error() -> None:
    with pytest.raises(Refused):
        run(facts("text/plain"), b"read, delete", sanitizer(FilterTools(("read",)), is_rpc=True))
    assert run(facts("text/plain", status=421), b"wrong host", sanitizer(FilterTools(("read",)))) == b"wrong host"


NUMBERLESS = st.text(st.characters(exclude_categories=("Nd", "Nl", "No", "Cs")), max_size=30)
"""A digit that touches a number makes another number of it."""


@given(before=NUMBERLESS, after=NUMBERLESS, cuts=st.lists(st.integers(0, 100), max_size=6))
@example(before="data:", after="", cuts=[])
def test_no_planted_number_leaves_in_any_text_or_event(before: str, after: str, cuts: list[int]) -> None:
    text = f"{before}{SSN}{after}".replace("\x00", "")
    for head, body in (
        (facts("text/plain"), text.encode()),
        (facts("text/event-stream"), f"data: {text}\n\n: {text}\n\n{text}\n\n".encode()),
    ):
        try:
            shown = run(head, body, cuts=tuple(cuts))
        except Refused:
            continue  # looked like JSON of a doubtful kind: nothing leaves at all
        assert SECRET not in shown


def test_a_body_that_cannot_be_looked_at_passes_where_the_rule_lets_it() -> None:
    passing = RedactionTerms(Target.RESPONSE, False, False, True, ())
    cleaner = sanitizer(Redact(Target.RESPONSE, ("us_ssn",), ()), passing)
    for content_type in ("image/png", "application/pdf", "application/octet-stream"):
        assert run(facts(content_type), b"\x89PNG\0", cleaner) == b"\x89PNG\0"
    with pytest.raises(Refused):
        run(facts("image/png"), b"x", sanitizer(Redact(Target.RESPONSE, (), ("/a",)), passing))


@given(
    lines=st.lists(
        st.sampled_from(["", " ", "1", '"123-45-6789"', '{"a":"123-45-6789"}', "ssn", "123456789", "123", "45-6789"])
    )
)
def test_lines_of_a_request_are_redacted_each_by_itself(lines: list[str]) -> None:
    alone = [sanitizer().json(line.encode()) if line.strip() else line.encode() for line in lines]
    head = BodyFacts(None, ("application/x-ndjson",), (), False)
    assert run(head, "\n".join(lines).encode()) == b"\n".join(alone)


def test_a_body_of_several_parts_is_searched_as_text() -> None:
    body = b"--b\r\ncontent-disposition: form-data; name=ssn\r\n\r\n123-45-6789\r\n--b--\r\n"
    assert run(facts("multipart/form-data; boundary=b"), body) == body.replace(SECRET, b"[REDACTED:us_ssn]")


@pytest.mark.parametrize("charset", ["ISO-8859-1", "iso8859-15", "latin1", "windows-1252", '"Windows-1251"', "cp1250"])
def test_a_text_of_one_byte_a_character_is_redacted_whatever_its_other_letters_are(charset: str) -> None:
    body = b"gr\xfc\xdfe 123\x9645-6789 \xa0 123\xad-45-6789 \xe9"
    expected = b"gr\xfc\xdfe [REDACTED:us_ssn] \xa0 [REDACTED:us_ssn] \xe9"
    assert run(facts(f"text/plain; charset={charset}"), body) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json5",
        "application/x-javascript",
        "application/sql",
        "application/x-pem-file",
        "application/a+yaml",
    ],
)
def test_types_of_text_under_other_names_are_redacted_as_text(content_type: str) -> None:
    assert run(facts(content_type), b"// 123-45-6789") == b"// [REDACTED:us_ssn]"
