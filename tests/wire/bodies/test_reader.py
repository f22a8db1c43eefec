"""Whole requests with bodies of every format: what becomes of them as the call of a tool."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import (
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

FORM = "application/x-www-form-urlencoded"
JSON, NUMBERS = BodyFormat.JSON, ParameterType.INTEGER


def parameter(name: str, at: str, kind: ParameterType, items: ParameterType | None = None) -> Parameter:
    return Parameter(name, ParameterSource.BODY, at, kind, False, items)


PAY = Action(
    "pay",
    "POST",
    ("v1", "charges"),
    (
        parameter("amount", "/amount", ParameterType.INTEGER),
        parameter("capture", "/capture", ParameterType.BOOLEAN),
        parameter("codes", "/codes", ParameterType.ARRAY, ParameterType.INTEGER),
        parameter("currency", "/currency", ParameterType.STRING),
        parameter("metadata", "/metadata", ParameterType.OBJECT),
        parameter("owner", "/owner/name", ParameterType.STRING),
        parameter("tags", "/tags", ParameterType.ARRAY),
    ),
    False,
    (BodyFormat.FORM,),
    ONE_OPERATION,
)


def read(body: bytes, content_type: str | None = FORM, action: Action = PAY, **changes: Any) -> ToolCall:
    headers = {} if content_type is None else {"content-type": (content_type,)}
    tool = Tool("t", "t.example", None, "", (action,), "", "", None, False, False, NO_INTERFACE)
    call = HttpCall(
        "", action.method, "http", "t.example", None, f"/{'/'.join(action.template)}", "", headers, body, "", "", "", "",
        "", False,
    )  # fmt: skip
    return read_tool_call(replace(call, **changes), Catalogue.of((tool,)))


def refusal(body: bytes, content_type: str | None = FORM, action: Action = PAY, **changes: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        read(body, content_type, action, **changes)
    return refused.value


def taking(*bodies: BodyFormat, **changes: Any) -> Action:
    return replace(PAY, bodies=bodies, **changes)


def test_texts_of_a_form_are_read_as_the_types_that_are_declared() -> None:
    body = b"amount=4200&capture=true&codes=1&codes=2&currency=usd&metadata[a]=1&owner[name]=bob&tags[]=x&tags[]=y"
    call = read(body)
    assert call.parameters == {
        "amount": 4200,
        "capture": True,
        "codes": [1, 2],
        "currency": "usd",
        "metadata": {"a": "1"},
        "owner": "bob",
        "tags": ["x", "y"],
    }
    assert (call.content_type, call.besides) == (FORM, {})


@pytest.mark.parametrize(
    "body",
    [
        b"amount=", b"amount=5e3", b"amount=0x5", b"amount=+5", b"amount=05", b"amount=4200.5", b"amount[]=1", b"amount[a]=1",
        b"capture=1", b"capture=True", b"codes=a", b"codes[]=1.5", b"tags=[1]", b"tags[]=[%221%22]", b"tags[a]=1",
        b"metadata=1", b"metadata={%22a%22:1}", b"metadata[]=1", b"owner[name][]=x",
    ],
)  # fmt: skip
def test_a_text_that_is_not_of_its_type_is_refused(body: bytes) -> None:
    refused = refusal(body)
    assert refused.reason is Reason.PARAMETER_TYPE
    assert refused.fault is not None and refused.fault.where == "body"


@pytest.mark.parametrize("body", [b"amount=1&fee=2", b"owner[name]=x&owner[iban]=y", b"fee[]=1", b"owner=x"])
def test_a_field_that_nobody_declared_is_refused(body: bytes) -> None:
    assert refusal(body).reason is Reason.PARAMETER_UNKNOWN
    assert refusal(body, action=replace(PAY, parameters=())).reason is Reason.PARAMETER_UNKNOWN


def test_what_an_action_lets_pass_is_shown_to_approvers() -> None:
    call = read(b"amount=1&fee=2&owner[iban]=y", action=replace(PAY, others=True))
    assert (call.parameters, call.besides) == ({"amount": 1}, {"/fee": "2", "/owner/iban": "y"})
    everything = read(b"amount=1&fee=2", action=replace(PAY, parameters=(), others=True))
    assert everything.parameters == {"amount": "1", "fee": "2"}


@pytest.mark.parametrize(
    "body", [b"Amount=1", b"amount%20=1", b"%EF%BD%81mount=1", b"_method=DELETE", b"owner[Name]=x"]
)
def test_a_field_that_some_reader_takes_for_another_is_refused(body: bytes) -> None:
    assert refusal(body).reason is Reason.MALFORMED_CALL


def test_a_field_that_stands_in_the_query_too_is_refused() -> None:
    assert refusal(b"amount=1", query="amount=2").reason is Reason.DUPLICATE_KEY
    assert refusal(b"amount=1", query="Amount[]=2").reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("bodies", "content_type", "problem"),
    [
        (
            (BodyFormat.FORM,),
            "application/json",
            'The body is declared as "application/json". This action takes: form.',
        ),
        ((BodyFormat.FORM,), "text/plain", 'The body is declared as "text/plain". This action takes: form.'),
        ((BodyFormat.FORM,), FORM + "x", "This action takes: form."),
        ((BodyFormat.MULTIPART,), None, "The body has no content-type. This action takes: multipart."),
        ((BodyFormat.FORM, BodyFormat.TEXT), None, "The body has no content-type. This action takes: form, text."),
        ((JSON, BodyFormat.FORM), "image/png", "This action takes: json, form."),
        ((JSON, BodyFormat.TEXT), FORM, "This action takes: json, text."),
    ],
)
def test_a_body_of_a_type_that_is_not_listed_is_refused(
    bodies: tuple[BodyFormat, ...], content_type: str | None, problem: str
) -> None:
    refused = refusal(b"amount=1", content_type, taking(*bodies))
    assert refused.reason is Reason.BODY_TYPE_UNLISTED
    assert refused.fault is not None
    assert problem in refused.fault.problem


@pytest.mark.parametrize("content_type", [FORM + "; charset=utf-16", FORM + "; charset=iso-8859-1"])
def test_a_form_in_another_charset_is_refused(content_type: str) -> None:
    assert refusal(b"amount=1", content_type).reason is Reason.MALFORMED_CALL
    assert refusal(b"amount=1", f"{FORM}, application/json").reason is Reason.AMBIGUOUS_HEADERS


def test_the_tool_is_told_to_read_what_was_judged() -> None:
    both = taking(JSON, BodyFormat.FORM, BodyFormat.MULTIPART)
    assert read(b"amount=1", f"{FORM}; charset=UTF-8; boundary=x").content_type == FORM
    assert read(b"amount=1", None).content_type == FORM
    assert read(b'{"amount":1}', "application/vnd.api+json", both).content_type == "application/vnd.api+json"
    assert read(b'{"amount":1}', None, both).content_type == "application/json"
    part = b'--B\r\nContent-Disposition: form-data; name="amount"\r\n\r\n1\r\n--B--\r\n'
    assert read(part, 'Multipart/Form-Data; Boundary="B"', both).content_type == "multipart/form-data; boundary=B"
    calls = [
        read(b"amount=1", FORM, both),
        read(b'{"amount":1}', "application/json", both),
        read(part, "multipart/form-data; boundary=B", both),
    ]
    assert all(call.parameters == {"amount": 1} for call in calls)
    assert len({call.digest for call in calls}) == 3


def upload(content: bytes, name: str = "a.png") -> bytes:
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + content + b"\r\n--B--\r\n"


def test_a_file_is_an_object_that_no_field_can_pass_for() -> None:
    file = replace(PAY, parameters=(parameter("file", "/file", ParameterType.FILE),), bodies=(BodyFormat.MULTIPART,))
    kind = "multipart/form-data; boundary=B"
    call = read(upload(b"x"), kind, file)
    assert call.parameters == {
        "file": {"name": "a.png", "type": "image/png", "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    }
    fields = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="file[%s]"\r\n\r\n1\r\n' % name.encode()
        for name in ("name", "type", "size", "sha256")
    )
    assert refusal(fields + b"--B--\r\n", kind, file).reason is Reason.PARAMETER_TYPE
    size = replace(file, parameters=(parameter("size", "/file/size", ParameterType.INTEGER),))
    assert refusal(upload(b"x"), kind, size).reason is Reason.PARAMETER_UNKNOWN
    as_object = replace(file, parameters=(parameter("file", "/file", ParameterType.OBJECT),))
    refused = refusal(upload(b"x"), kind, as_object)
    assert refused.fault is not None
    assert refused.fault.problem == 'The parameter "file" must be an object, and is a file.'


def test_an_approval_is_for_the_very_file() -> None:
    file = replace(PAY, parameters=(parameter("file", "/file", ParameterType.FILE),), bodies=(BodyFormat.MULTIPART,))
    kind = "multipart/form-data; boundary=B"
    digests = {read(upload(content, name), kind, file).digest for content in (b"x", b"y") for name in ("a", "b")}
    assert len(digests) == 4


def test_content_that_nobody_looks_into_is_judged_by_type_size_and_digest() -> None:
    size = parameter("size", "/size", ParameterType.INTEGER)
    put = replace(PAY, method="PUT", parameters=(size,), bodies=(BodyFormat.BINARY,))
    call = read(b"\0\1\2", "Image/PNG; q=1", put)
    digest = hashlib.sha256(b"\0\1\2").hexdigest()
    assert (call.parameters, call.content_type) == ({"size": 3}, "image/png")
    assert call.besides == {"/type": "image/png", "/sha256": digest}
    assert read(b"\0\1\3", "image/png", put).digest != call.digest
    bare = read(b"abc", None, replace(put, parameters=()))
    assert bare.parameters == {
        "type": "application/octet-stream",
        "size": 3,
        "sha256": hashlib.sha256(b"abc").hexdigest(),
    }
    assert read(b"a=1", FORM, put).content_type == FORM


def test_a_text_is_a_parameter_where_it_is_declared() -> None:
    text = replace(PAY, parameters=(parameter("text", "/text", ParameterType.STRING),), bodies=(BodyFormat.TEXT,))
    call = read("sch\u00f6n".encode(), "text/markdown", text)
    assert (call.parameters, call.besides) == ({"text": "sch\u00f6n"}, {"/type": "text/markdown"})
    assert call.content_type == "text/markdown; charset=utf-8"
    assert read(b"x", "text/html", text).digest != read(b"x", "text/plain", text).digest
    for body in (b"\xff", b"a\0b"):
        assert refusal(body, "text/plain", text).reason is Reason.TEXT_MALFORMED
    assert refusal(b"x", "text/plain", replace(text, parameters=())).reason is Reason.PARAMETER_UNKNOWN


def test_lines_are_a_list() -> None:
    lines = replace(PAY, parameters=(parameter("events", "/lines", ParameterType.ARRAY),), bodies=(BodyFormat.LINES,))
    call = read(b'{"a":1}\n{"a":2}\n', "application/jsonl", lines)
    assert (call.parameters, call.content_type) == ({"events": [{"a": 1}, {"a": 2}]}, "application/jsonl")
    first = replace(lines, parameters=(parameter("a", "/lines/0/a", ParameterType.INTEGER),))
    assert read(b'{"a":1}\n', None, first).parameters == {"a": 1}
    assert refusal(b'{"a":1}\n{"a":2}\n', None, first).reason is Reason.PARAMETER_UNKNOWN


def test_a_message_to_a_method_is_judged_by_service_method_and_digest() -> None:
    method = parameter("method", "/method", ParameterType.STRING)
    call = replace(PAY, template=("pay.v1.Pay", "Create"), parameters=(method,), bodies=(BodyFormat.MESSAGE,))
    message = read(b"\0\0\0\0\1x", "application/grpc", call)
    assert (message.parameters, message.content_type) == ({"method": "Create"}, "application/grpc")
    assert message.besides["/service"] == "pay.v1.Pay"
    assert refusal(b"\0\0\0\0\1x", "application/grpc+json", call).reason is Reason.BODY_TYPE_UNLISTED


def test_json_keeps_its_rules_where_nothing_else_is_listed() -> None:
    plain = taking(JSON, parameters=())
    assert read(b'{"anything":[1]}', FORM, plain).parameters == {"anything": [1]}
    assert read(b'{"anything":[1]}', FORM, plain).content_type == "application/json"
    with_forms = taking(JSON, BodyFormat.FORM, parameters=())
    assert refusal(b'{"anything":[1]}', "application/json", with_forms).reason is Reason.PARAMETER_UNKNOWN


def test_a_get_has_no_body_unless_one_is_declared() -> None:
    assert (
        refusal(b"a=1", action=replace(PAY, method="GET", parameters=(), others=True)).reason is Reason.MALFORMED_CALL
    )
    assert read(b"", action=replace(PAY, method="GET", parameters=())).content_type == ""
