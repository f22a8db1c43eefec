"""Bodies of every format that a catalogue knows, as descriptions write them."""

from __future__ import annotations

import pytest

from aegis_authz.policy.openapi.bodies import BodyFields, body_fields, format_of
from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind

PAYMENT = {"properties": {"amount": {"type": "integer"}, "note": {"type": ["string", "null"]}}}


def kinds(body: BodyFields | None) -> dict[str, str]:
    assert body is not None
    return {name: kind.name for name, (_, kind) in body.fields.items()}


@pytest.mark.parametrize(
    ("media", "body_format"),
    [
        ("application/json", "json"),
        ("application/merge-patch+json; charset=utf-8", "json"),
        ("*/*", "json"),
        ("application/x-www-form-urlencoded", "form"),
        ("Multipart/Form-Data", "multipart"),
        ("application/x-ndjson", "ndjson"),
        ("text/x-markdown", "text"),
        ("application/octet-stream", "binary"),
        ("image/png", "binary"),
    ],
)
def test_every_media_type_has_its_format(media: str, body_format: str) -> None:
    assert format_of(media) == body_format


def test_a_json_body_may_be_null_where_it_is_said() -> None:
    body = body_fields(Description({}), {"content": {"application/json": {"schema": PAYMENT}}})
    assert body == BodyFields(
        ("json",),
        {"amount": ("/amount", Kind("integer", False, None)), "note": ("/note", Kind("string", True, None))},
        False,
        (),
    )


def test_a_form_has_no_null() -> None:
    body = body_fields(Description({}), {"content": {"application/x-www-form-urlencoded": {"schema": PAYMENT}}})
    assert body is not None
    assert (body.formats, body.fields["note"]) == (("form",), ("/note", Kind("string", False, None)))


def test_formats_of_the_same_fields_are_taken_together() -> None:
    content = {"application/json": {"schema": PAYMENT}, "application/x-www-form-urlencoded": {"schema": PAYMENT}}
    body = body_fields(Description({}), {"content": content})
    assert body is not None
    assert (body.formats, body.gaps) == (("json", "form"), ())


def test_of_formats_that_differ_the_one_that_says_most_is_taken() -> None:
    other = {"properties": {"sum": {"type": "string"}}}
    content = {"application/x-www-form-urlencoded": {"schema": other}, "application/json": {"schema": PAYMENT}}
    body = body_fields(Description({}), {"content": content})
    assert body is not None
    assert (body.formats, kinds(body)) == (("json",), {"amount": "integer", "note": "string"})
    assert body.gaps == ("of its bodies json is taken, not application/x-www-form-urlencoded",)


def test_a_second_media_type_of_a_format_is_named_where_its_fields_are_others() -> None:
    merge, other = "application/merge-patch+json", {"properties": {"sum": {"type": "string"}}}
    content = {"application/json": {"schema": PAYMENT}, merge: {"schema": other}, "text/plain": {}, "text/csv": {}}
    body = body_fields(Description({}), {"content": content})
    assert body is not None
    assert (body.formats, kinds(body)) == (("json",), {"amount": "integer", "note": "string"})
    assert body.gaps == (f"of its bodies json is taken, not {merge}, text/csv, text/plain",)
    same = {"application/json": {"schema": PAYMENT}, merge: {"schema": PAYMENT}}
    assert getattr(body_fields(Description({}), {"content": same}), "gaps", None) == ()


@pytest.mark.parametrize("file", [{"type": "string", "format": "binary"}, {"contentMediaType": "image/png"}])
def test_an_upload_is_a_file(file: dict[str, str]) -> None:
    schema = {"properties": {"purpose": {"type": "string"}, "file": file}}
    body = body_fields(Description({}), {"content": {"multipart/form-data": {"schema": schema}}})
    assert kinds(body) == {"purpose": "string", "file": "file"}


def test_an_upload_that_is_put_together_is_a_file() -> None:
    document = {"Upload": {"type": "string", "format": "binary"}}
    parts = [
        {"properties": {"purpose": {"type": "string"}}},
        {"properties": {"file": {"allOf": [{"$ref": "#/Upload"}]}}},
    ]
    body = body_fields(Description(document), {"content": {"multipart/form-data": {"schema": {"allOf": parts}}}})
    assert kinds(body) == {"purpose": "string", "file": "file"}


@pytest.mark.parametrize(
    ("media", "fields"), [("text/plain", {"text"}), ("application/jsonl", {"lines"}), ("image/png", set())]
)
def test_what_is_judged_as_one_lists_what_it_is(media: str, fields: set[str]) -> None:
    body = body_fields(Description({}), {"content": {media: {}}})
    assert body is not None
    assert (set(body.fields), body.is_open) == (fields, False)


def test_no_body_has_no_format() -> None:
    assert body_fields(Description({}), None) is None
    assert body_fields(Description({}), {"content": {}}) is None
