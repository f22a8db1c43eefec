"""Forms, forms of several parts and JSON lines under redaction: fields by pointers, all else by detectors."""

from __future__ import annotations

import pytest

from aegis_authz.core.decision import Redact, RedactionTerms, Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.bodies import BodyFacts, filter_for
from aegis_authz.redact.sanitizer import Sanitizer

FORM, LINES = "application/x-www-form-urlencoded", "application/x-ndjson"
MULTIPART = "multipart/form-data; boundary=B"


def cleaner(*fields: str, opaque: bool = False) -> Sanitizer:
    terms = (RedactionTerms(Target.REQUEST, False, False, True, ()),) if opaque else ()
    return Sanitizer((Redact(Target.REQUEST, ("us_ssn",), fields), *terms), Target.REQUEST, False, None)


def redacted(content_type: str, body: bytes, *fields: str, opaque: bool = False) -> bytes:
    chosen = filter_for(BodyFacts(None, (content_type,), (), False), cleaner(*fields, opaque=opaque))
    assert chosen.feed(body) == b""
    return chosen.finish()


@pytest.mark.parametrize(
    ("body", "fields", "expected"),
    [
        (b"a=1&ssn=123-45-6789&c=x+y", (), b"a=1&ssn=[REDACTED:us_ssn]&c=x+y"),
        (b"a=1&note=my+123%2D45%2D6789", (), b"a=1&note=my+[REDACTED:us_ssn]"),
        (b"a=1&secret=x%26y&c=2", ("/secret",), b"a=1&secret=[REDACTED]&c=2"),
        (b"a=1&Secret=x", ("/secret",), b"a=1&Secret=[REDACTED]"),
        (b"m[a]=1&m[b]=2&n=3", ("/m/b",), b"m[a]=1&m[b]=[REDACTED]&n=3"),
        (b"m[a]=1&m[b][c]=2&n=3", ("/m",), b"m[a]=[REDACTED]&m[b][c]=[REDACTED]&n=3"),
        (b"m%5Ba%5D=1&m%5Bb%5D=2", ("/*/a",), b"m%5Ba%5D=[REDACTED]&m%5Bb%5D=2"),
        (b"l[]=1&l[]=2&l[]=3", ("/l/1",), b"l[]=1&l[]=[REDACTED]&l[]=3"),
        (b"l=1&l=2", ("/l/*",), b"l=[REDACTED]&l=[REDACTED]"),
        (b"i[0][p]=1&i[1][p]=2", ("/i/*/p",), b"i[0][p]=[REDACTED]&i[1][p]=[REDACTED]"),
        (b"a=1&empty=", ("/empty",), b"a=1&empty="),
        (b"a=1", ("/b",), b"a=1"),
        (b"", ("/b",), b""),
    ],
)
def test_a_form_is_redacted_in_place(body: bytes, fields: tuple[str, ...], expected: bytes) -> None:
    assert redacted(FORM, body, *fields) == expected


def test_fields_in_what_is_no_form_are_refused() -> None:
    for content_type, body in ((FORM, b"no form"), (MULTIPART, b"--B\r\nno parts"), (LINES, b"no json\n")):
        with pytest.raises(Refused) as refused:
            redacted(content_type, body, "/a")
        assert refused.value.reason is Reason.MALFORMED_CALL


def part(name: str, content: bytes, *more: str) -> bytes:
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"' + "".join(more)
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


END = b"--B--\r\n"
FILE = '; filename="a 123-45-6789.txt"\r\nContent-Type: text/plain'


def test_parts_are_redacted_each_by_itself() -> None:
    body = part("ssn", b"123456789") + part("note", b"x 123-45-6789\r\n") + part("m[a]", b"y") + END
    expected = (
        part("ssn", b"[REDACTED:us_ssn]") + part("note", b"x [REDACTED:us_ssn]\r\n") + part("m[a]", b"[REDACTED]") + END
    )
    assert redacted(MULTIPART, body, "/m") == expected


def test_a_file_of_text_is_redacted_and_its_name_with_it() -> None:
    body = part("file", b"one 123-45-6789", FILE) + END
    shown = '; filename="a [REDACTED:us_ssn].txt"\r\nContent-Type: text/plain'
    assert redacted(MULTIPART, body) == part("file", b"one [REDACTED:us_ssn]", shown) + END
    assert redacted(MULTIPART, body, "/file") == part("file", b"[REDACTED]", shown) + END


@pytest.mark.parametrize(
    ("name", "field"), [("file", "/file/name"), ("f[a]", "/f/a/size"), ("f[]", "/f/0/name"), ("f[]", "/*/*/name")]
)
def test_what_is_said_of_a_file_cannot_be_redacted_by_itself(name: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        redacted(MULTIPART, part(name, b"x", FILE) + END, field)
    assert refused.value.reason is Reason.MALFORMED_CALL
    assert redacted(MULTIPART, part("other", b"x") + END, field) == part("other", b"x") + END


def test_a_file_that_cannot_be_looked_at_passes_only_where_policy_says_so() -> None:
    body = part("a", b"123-45-6789") + part("file", b"\0\1", '; filename="a.bin"') + END
    with pytest.raises(Refused) as refused:
        redacted(MULTIPART, body)
    assert refused.value.reason is Reason.MALFORMED_CALL
    expected = part("a", b"[REDACTED:us_ssn]") + part("file", b"\0\1", '; filename="a.bin"') + END
    assert redacted(MULTIPART, body, opaque=True) == expected
    with pytest.raises(Refused):
        redacted(MULTIPART, part("a", b"\0") + END, opaque=True)


def test_lines_of_a_request_are_redacted_by_their_pointers_in_policy() -> None:
    body = b'{"a":"123-45-6789","text":"12"}\r\n{"text":"3-45-6789","b":[1]}\n'
    expected = b'{"a":"[REDACTED:us_ssn]","text":"12"}\r\n{"text":"[REDACTED]","b":[1]}\n'
    assert redacted(LINES, body.replace(b'"text":"12"', b'"t":"12"'), "/lines/*/text") == expected.replace(
        b'"text":"12"', b'"t":"12"'
    )
    assert redacted(LINES, body) == b'{"a":"[REDACTED:us_ssn]","text":"12"}\r\n{"text":"3-45-6789","b":[1]}\n'


TWO_LINES = b'{"a":{"b":"x"},"c":1}\n["y"]\n'
NO_LINES = b'"[REDACTED]"\n"[REDACTED]"\n'


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", NO_LINES),
        ("/lines", NO_LINES),
        ("/LINES", NO_LINES),
        ("/lines/*", NO_LINES),
        ("/lines/0", NO_LINES),
        ("/*", NO_LINES),
        ("/*/*", NO_LINES),
        ("/lines/*/a", b'{"a":"[REDACTED]","c":1}\n["y"]\n'),
        ("/lines/*/a/b", b'{"a":{"b":"[REDACTED]"},"c":1}\n["y"]\n'),
        ("/lines/*/0", b'{"a":{"b":"x"},"c":1}\n["[REDACTED]"]\n'),
        ("/*/a", b'{"a":"[REDACTED]","c":1}\n["y"]\n'),
        ("/0/a", b'{"a":"[REDACTED]","c":1}\n["y"]\n'),
        ("/*/*/c", b'{"a":{"b":"x"},"c":"[REDACTED]"}\n["y"]\n'),
        ("/*/b", b'{"a":{"b":"[REDACTED]"},"c":1}\n["y"]\n'),
        ("/0", b'{"a":{"b":"x"},"c":1}\n["[REDACTED]"]\n'),
        ("/lines/a", TWO_LINES),
    ],
)
@pytest.mark.parametrize("status", [None, 200])
def test_a_pointer_leads_into_lines_however_it_is_written(field: str, expected: bytes, status: int | None) -> None:
    target = Target.REQUEST if status is None else Target.RESPONSE
    sanitizer = Sanitizer((Redact(target, (), (field,)),), target, False, None)
    lines = filter_for(BodyFacts(status, (LINES,), (), False), sanitizer)
    assert lines.feed(TWO_LINES) + lines.finish() == expected


@pytest.mark.parametrize("field", ["/lines", "/lines/*", "/*", "/*/*", ""])
@pytest.mark.parametrize("line", [b'"a secret of several words"', b"4111", b'"x"', b"true", b'{"a":1}', b"[1]", b"[]"])
def test_no_line_passes_by_a_pointer_to_all_of_them(field: str, line: bytes) -> None:
    assert redacted(LINES, line + b"\n" + line, field) == b'"[REDACTED]"\n"[REDACTED]"'


@pytest.mark.parametrize("field", ["/lines", "/lines/*", "/*", ""])
def test_events_are_lines_to_pointers(field: str) -> None:
    sanitizer = Sanitizer((Redact(Target.RESPONSE, (), (field,)),), Target.RESPONSE, False, None)
    events = filter_for(BodyFacts(200, ("text/event-stream",), (), False), sanitizer)
    shown = (
        events.feed(b'id: 1\ndata: {"a":1}\n\ndata: ["y"]\n\ndata: "a secret of several words"\n\n') + events.finish()
    )
    assert shown == b'id: 1\ndata: "[REDACTED]"\n\ndata: "[REDACTED]"\n\ndata: "[REDACTED]"\n\n'


def test_variables_of_graphql_are_redacted_as_json() -> None:
    body = b'{"query":"mutation ($s: String) { put(ssn: $s) }","variables":{"s":"hidden","n":"123-45-6789"}}'
    assert redacted("application/json", body, "/variables/s") == body.replace(b'"hidden"', b'"[REDACTED]"').replace(
        b"123-45-6789", b"[REDACTED:us_ssn]"
    )
