from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.decision import FilterTools, HideTools, Obligation, OwnDetector, Redact, RedactionTerms, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.sanitizer import Sanitizer

SSN = "123-45-6789"
KEYS = st.text(max_size=4)
NUMBERLESS = st.text(st.characters(exclude_categories=("Nd", "Nl", "No", "Cs")), max_size=12)
"""A digit that touches a number makes another number of it."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def sanitizer(*obligations: Obligation, rpc_id: Json = 1, is_rpc: bool = False) -> Sanitizer:
    return Sanitizer(obligations, Target.RESPONSE, is_rpc, rpc_id)


def redact(*detectors: str, fields: tuple[str, ...] = ()) -> Redact:
    return Redact(Target.RESPONSE, detectors, fields)


def run(cleaner: Sanitizer, value: Json) -> Json:
    shown: Json = json.loads(cleaner.json(json.dumps(value).encode()))
    return shown


def test_strings_and_keys_are_redacted_and_numbers_left() -> None:
    cleaner = sanitizer(redact("us_ssn"))
    value: Json = {"a": [f"is {SSN}"], SSN: True, "n": 123456789, "f": 123456789.0, "amount": 123456789.75, "z": None}
    assert run(cleaner, value) == {
        "a": ["is [REDACTED:us_ssn]"],
        "[REDACTED:us_ssn]": True,
        "n": 123456789,
        "f": 123456789.0,
        "amount": 123456789.75,
        "z": None,
    }
    assert cleaner.counts == {"us_ssn": 2}


def test_keys_that_redaction_made_alike_stay_apart() -> None:
    shown = run(sanitizer(redact("us_ssn")), {SSN: 1, "234-56-7890": 2})
    assert shown == {"[REDACTED:us_ssn]": 1, "[REDACTED:us_ssn]#2": 2}


def test_a_key_gives_meaning_to_all_that_is_under_it() -> None:
    cleaner = sanitizer(redact("date_of_birth", "us_ssn"))
    value: Json = {
        "patient": {"dateOfBirth": {"year": 1980, "text": ["1980-01-02"]}, "ssn": "12345678", "seen": "2024-05-05"},
        "rows": [{"label": "Date of birth", "value": "2.1.1980"}, {"label": "Visit", "value": "2.1.2024"}],
    }
    assert run(cleaner, value) == {
        "patient": {
            "dateOfBirth": {"year": 1980, "text": ["[REDACTED:date_of_birth]"]},
            "ssn": "[REDACTED:us_ssn]",
            "seen": "2024-05-05",
        },
        "rows": [
            {"label": "Date of birth", "value": "[REDACTED:date_of_birth]"},
            {"label": "Visit", "value": "2.1.2024"},
        ],
    }


def test_fields_are_blanked_and_their_place_shows_it() -> None:
    fields = ("/patient/notes", "/rows/*/x", "/list/0", "/a~1b", "/absent/x", "/Other")
    cleaner = sanitizer(redact(fields=fields))
    value: Json = {
        "patient": {"Notes": "private"},
        "rows": [{"x": 7}, {"x": True}, {"x": 1.5}, {"x": None}, {"x": {"k": 1}}, {"x": [1]}],
        "list": ["first", "second"],
        "a/b": "slash",
        "other": "any case",
        "kept": "kept",
    }
    assert run(cleaner, value) == {
        "patient": {"Notes": "[REDACTED]"},
        "rows": [{"x": "[REDACTED]"}] * 3 + [{"x": None}] + [{"x": "[REDACTED]"}] * 2,
        "list": ["[REDACTED]", "second"],
        "a/b": "[REDACTED]",
        "other": "[REDACTED]",
        "kept": "kept",
    }
    assert cleaner.counts == {"/patient/notes": 1, "/rows/*/x": 5, "/list/0": 1, "/a~1b": 1, "/Other": 1}


@pytest.mark.parametrize("pointer", ["patient", "/a~2b", "/a~", "$.x"])
def test_a_field_that_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(Refused) as refused:
        sanitizer(redact(fields=(pointer,)))
    assert refused.value.reason is Reason.OBLIGATION_UNKNOWN


def test_mcp_results_are_redacted_in_content_and_structured_content() -> None:
    cleaner = sanitizer(redact("us_ssn", fields=("/patient/notes",)), is_rpc=True, rpc_id=123456789)
    patient: Json = {"patient": {"notes": "private", "ssn": SSN}}
    message: Json = {
        "jsonrpc": "2.0",
        "id": 123456789,
        "result": {"structuredContent": patient, "content": [{"type": "text", "text": json.dumps(patient)}]},
    }
    blank: Json = {"patient": {"notes": "[REDACTED]", "ssn": "[REDACTED:us_ssn]"}}
    assert run(cleaner, message) == {
        "jsonrpc": "2.0",
        "id": 123456789,
        "result": {
            "structuredContent": blank,
            "content": [{"type": "text", "text": json.dumps(blank)}],
        },
    }


def test_mcp_request_arguments_and_notifications_are_redacted() -> None:
    cleaner = Sanitizer([Redact(Target.REQUEST, ("us_ssn",), ("/notes",))], Target.REQUEST, True, 7)
    message: Json = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"arguments": {"notes": "x", "s": SSN}},
    }
    assert run(cleaner, message) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"arguments": {"notes": "[REDACTED]", "s": "[REDACTED:us_ssn]"}},
    }
    log: Json = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": [SSN]}}
    assert SSN not in json.dumps(run(sanitizer(redact("us_ssn"), is_rpc=True), [log, log]))


def test_base64_text_in_mcp_content_is_opened_and_binary_is_refused() -> None:
    def blob(data: bytes) -> Json:
        text = base64.b64encode(data).decode()
        return {"jsonrpc": "2.0", "id": 1, "result": {"contents": [{"uri": "x:y", "blob": text}]}}

    cleaner = sanitizer(redact("us_ssn"), is_rpc=True)
    assert run(cleaner, blob(b"fine")) == blob(b"fine")
    assert run(cleaner, blob(SSN.encode())) == blob(b"[REDACTED:us_ssn]")
    with pytest.raises(Refused):
        run(cleaner, blob(b"\x89PNG\xff"))
    image: Json = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "image", "data": "not base64!"}]}}
    with pytest.raises(Refused):
        run(cleaner, image)


def test_a_list_of_tools_shows_the_allowed_ones_and_is_private() -> None:
    cleaner = sanitizer(FilterTools(("read",)), is_rpc=True)
    tools: Json = [{"name": "read"}, {"name": "delete"}, {"name": 7}, "odd"]
    message: Json = {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "cacheScope": "public", "ttlMs": 5}}
    assert run(cleaner, message) == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"tools": [{"name": "read"}], "cacheScope": "private", "ttlMs": 5},
    }
    assert cleaner.counts == {"filter_tools": 3}


def test_two_filters_leave_what_both_allow() -> None:
    cleaner = sanitizer(FilterTools(("a", "b")), FilterTools(("b", "c")), is_rpc=True)
    message: Json = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": n} for n in "abc"]}}
    assert run(cleaner, message) == {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "b"}]}}


def test_hidden_tools_are_left_out_in_every_spelling_and_the_others_stay() -> None:
    cleaner = sanitizer(HideTools(("wipe",)), HideTools(("b",)), is_rpc=True)
    names = ["a", "wipe", "Wipe", "wi\u200bpe", "\uff57ipe", "b", "wipes"]
    tools: Json = [*({"name": name} for name in names), {"name": 7}, "odd"]
    message: Json = {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}
    assert run(cleaner, message) == {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}, {"name": "wipes"}]}}


def test_text_like_json_in_which_no_field_can_be_found_is_refused() -> None:
    message: Json = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": '{"a":1,"b":'}]}}
    assert run(sanitizer(redact("us_ssn"), is_rpc=True), message) == message
    curly: Json = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "{curly} words"}]}}
    assert run(sanitizer(redact(fields=("/a",)), is_rpc=True), curly) == curly
    with pytest.raises(Refused):
        run(sanitizer(redact(fields=("/a",)), is_rpc=True), message)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"A":"%s"}',
        b'{"a":NaN,"b":"%s"}',
        b'{"a":"\xff","b":"%s"}',
        b'{"b":"%s"',
        b'{"b":"%s",}',
        b'\xef\xbb\xbf{"b":"%s"}',
        b'{"a":1,"a":2,"b":"%s"}',
        b'{"a":123456789012345678901234567890,"b":"%s"}',
        b'{"a":0.12345678901234567890123, "b":"%s"}',
        b'{ "a" : 1E400,\r\n\t"b":"\\u00e9 \\/ %s"  }\n',
        b"[" * 2000 + b'"%s"' + b"]" * 2000,
    ],
)
def test_json_that_strict_readers_refuse_is_redacted_and_else_stays_byte_for_byte(body: bytes) -> None:
    cleaner = sanitizer(redact("us_ssn"))
    assert cleaner.json(body % SSN.encode()) == body % b"[REDACTED:us_ssn]"
    assert cleaner.json(body % b"fine") == body % b"fine"


@pytest.mark.parametrize(
    "body", [b"name,notes\nAnn,private", b"<notes>private</notes>", b'{"notes":"private"', b"notes=private"]
)
def test_fields_in_what_is_no_json_are_refused_and_not_passed_as_sanitized(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        sanitizer(redact(fields=("/notes",))).text(body)
    assert refused.value.reason is Reason.MALFORMED_CALL


def _plant(value: Json, secret: str, path: list[int], as_key: bool) -> Json:
    """The value with the secret in some position, which the path chooses."""
    if isinstance(value, list) and value:
        at = path[0] % len(value)
        return [_plant(inner, secret, path[1:] or [0], as_key) if i == at else inner for i, inner in enumerate(value)]
    if isinstance(value, dict) and value:
        at = path[0] % len(value)
        return {
            name: _plant(inner, secret, path[1:] or [0], as_key) if i == at else inner
            for i, (name, inner) in enumerate(value.items())
        }
    return {secret: value} if as_key else secret


@given(
    value=VALUES,
    path=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    before=NUMBERLESS,
    after=NUMBERLESS,
    separator=st.sampled_from(["-", "\u2010", "\u2011", "\u2013", "\u2212", "\uff0d"]),
    as_key=st.booleans(),
    escapes=st.lists(st.booleans(), min_size=11, max_size=11),
    nested=st.integers(0, 2),
)
def test_no_planted_number_leaves_whatever_stands_around_it(
    value: Json,
    path: list[int],
    before: str,
    after: str,
    separator: str,
    as_key: bool,
    escapes: list[bool],
    nested: int,
) -> None:
    secret = f"123{separator}45{separator}6789"
    text = json.dumps(_plant(value, f"{before}\x00SSN\x00{after}", path, as_key))
    escaped = "".join(f"\\u{ord(c):04x}" if flag else c for c, flag in zip(secret, escapes, strict=True))
    text = text.replace("\\u0000SSN\\u0000", escaped)
    for _ in range(nested):
        text = json.dumps({"jsonrpc": "2.0", "text": text})
    try:
        shown = sanitizer(redact("us_ssn"), is_rpc=bool(nested)).json(text.encode())
    except Refused:
        return  # names that differ only in case: nothing leaves at all
    decoded = shown.decode()
    for _ in range(3):
        decoded = decoded.replace("\\\\", "\\")
    everything = decoded + json.dumps(json.loads(shown), ensure_ascii=False)
    assert secret not in everything
    assert "6789" not in everything


@pytest.mark.parametrize("number", [4111111111111111, 123456789, 100000000000000001, 1700000000000, 1.5, 123456789.0])
@pytest.mark.parametrize("key", ["account_id", "order", "ssn", "dob", "phone"])
def test_a_number_is_never_another_number(key: str, number: float) -> None:
    cleaner = sanitizer(redact("us_ssn", "credit_card", "iban", "phone", "date_of_birth"))
    assert run(cleaner, {key: number, "list": [number]}) == {key: number, "list": [number]}


@pytest.mark.parametrize("identifier", [SSN])
def test_a_request_whose_id_would_carry_what_must_be_redacted_is_refused(identifier: Json) -> None:
    obligations = (Redact(Target.REQUEST, ("us_ssn",), ()),)
    cleaner = Sanitizer(obligations, Target.REQUEST, True, identifier)
    message: Json = {"jsonrpc": "2.0", "id": identifier, "method": "tools/call", "params": {"name": "x"}}
    with pytest.raises(Refused) as refused:
        run(cleaner, message)
    assert refused.value.reason is Reason.POLICY_DENIED


def terms(
    *own: OwnDetector, is_loose: bool = False, numbers: bool = False, passes_opaque: bool = False
) -> RedactionTerms:
    return RedactionTerms(Target.RESPONSE, is_loose, numbers, passes_opaque, own)


def test_a_rule_may_let_a_text_take_the_place_of_a_number() -> None:
    body = b'{"card": 4111111111111111, "n": [1, -4111111111111111], "id": 123456789, "ssn": 123456789}'
    cleaner = sanitizer(redact("credit_card", "us_ssn"), terms(numbers=True))
    assert cleaner.json(body) == (
        b'{"card": "[REDACTED:credit_card]", "n": [1, "[REDACTED:credit_card]"], '
        b'"id": 123456789, "ssn": "[REDACTED:us_ssn]"}'
    )
    assert sanitizer(redact("credit_card", "us_ssn")).json(body) == body


def test_numbers_in_json_that_stands_in_a_string_are_numbers_too() -> None:
    body = json.dumps({"text": '{"card": 4111111111111111, "s": "4111111111111111"}'}).encode()
    left = json.dumps({"text": '{"card": 4111111111111111, "s": "[REDACTED:credit_card]"}'}).encode()
    assert sanitizer(redact("credit_card")).json(body) == left
    shown = json.dumps({"text": '{"card": "[REDACTED:credit_card]", "s": "[REDACTED:credit_card]"}'}).encode()
    assert sanitizer(redact("credit_card"), terms(numbers=True)).json(body) == shown


def test_loose_rules_are_a_choice() -> None:
    assert sanitizer(redact("us_ssn")).text(b"123 45 6789") == b"123 45 6789"
    assert sanitizer(redact("us_ssn"), terms(is_loose=True)).text(b"123 45 6789") == b"[REDACTED:us_ssn]"


def test_what_cannot_be_looked_at_passes_only_where_every_rule_lets_it() -> None:
    image: Json = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "image", "data": "iVBORw0KGgo="}, SSN]}}
    shown: Json = {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"content": [{"type": "image", "data": "iVBORw0KGgo="}, "[REDACTED:us_ssn]"]},
    }
    assert run(sanitizer(redact("us_ssn"), terms(passes_opaque=True), is_rpc=True), image) == shown
    for obligations in ((), (terms(),), (terms(), terms(passes_opaque=True))):
        with pytest.raises(Refused):
            run(sanitizer(redact("us_ssn"), *obligations, is_rpc=True), image)


def test_detectors_of_policy_find_what_their_pattern_matches_and_their_validator_proves() -> None:
    badge = OwnDetector("badge", r"\bB[0-9]{6}\b", "luhn")
    code = OwnDetector("code", "(?i)code-[a-z]*", "")
    cleaner = sanitizer(terms(badge, code))
    assert cleaner.has_work
    assert cleaner.text(b"B123455 B123456 Code-x %42123455") == (
        b"[REDACTED:badge] B123456 [REDACTED:code] [REDACTED:badge]"
    )
    assert cleaner.counts == {"badge": 2, "code": 1}


@pytest.mark.parametrize(
    "own",
    [
        (OwnDetector("a", "(", ""),),
        (OwnDetector("a", "x", "sha1"),),
        (OwnDetector("a", "x", ""), OwnDetector("a", "y", "")),
    ],
)
def test_detectors_that_are_none_are_refused(own: tuple[OwnDetector, ...]) -> None:
    with pytest.raises(Refused) as refused:
        sanitizer(terms(*own))
    assert refused.value.reason is Reason.OBLIGATION_UNKNOWN


def test_what_takes_too_long_is_stopped_where_it_is() -> None:
    calls = 0

    def tick() -> None:
        nonlocal calls
        calls += 1
        if calls > 100:
            raise Refused(Reason.DEADLINE_EXCEEDED, "too long")

    hasty = Sanitizer((redact("credit_card"),), Target.RESPONSE, False, None, tick)
    with pytest.raises(Refused):
        hasty.text(b"4000 0000 0000 0000 " * 10_000)
    assert calls == 101


def test_an_odd_schema_costs_no_tool_and_a_doubtful_name_that_tool_alone() -> None:
    kept = (
        b'{"name":"read","inputSchema":{"maximum":123456789012345678901234567890,"default":NaN,"a":1,"a":2,"A":3}}',
        b'{ "name" : "re\\u0061d", "x": 0.12345678901234567890 }',
    )
    doubtful = (
        b'{"name":"read","name":"delete"}',
        b'{"name":"read","Name":"delete"}',
        b'{"title":"read"}',
        b'{"name":7}',
    )
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[%s],"nextCursor" : "x"}}'
    cleaner = sanitizer(FilterTools(("read",)), is_rpc=True)
    assert cleaner.json(body % b",".join((*kept, *doubtful))) == body % b",".join(kept)
    assert cleaner.counts == {"filter_tools": 4}
