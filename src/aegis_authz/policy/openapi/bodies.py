"""The body of an operation: which formats of the catalogue it may have, and the fields it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.pointer import escaped
from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.schemas import Kind, Members, described_members, members_of

JSON, FORM, MULTIPART = "json", "form", "multipart"
_WITH_FIELDS = (JSON, FORM, MULTIPART)
"""The formats that a schema describes field by field, the one that says most of its values first."""
_OF_FIELDS = {"application/x-www-form-urlencoded": FORM, "multipart/form-data": MULTIPART}
_LINES = frozenset(("application/x-ndjson", "application/jsonl", "application/json-lines"))
_WHOLE: Mapping[str, Mapping[str, tuple[str, Kind]]] = {
    "ndjson": {"lines": ("/lines", Kind("array", False, None))},
    "text": {"text": ("/text", Kind("string", False, None))},
    "binary": {},
}
"""What is listed of the formats that are judged as one: what is said of their content needs no listing."""


@dataclass(frozen=True, slots=True)
class BodyFields:
    """A body: its `formats` as a catalogue names them, and its fields with their pointers and types.

    `is_open` where it may hold others; `gaps` are sentences on what is not taken over.
    """

    formats: tuple[str, ...]
    fields: Mapping[str, tuple[str, Kind]]
    is_open: bool
    gaps: tuple[str, ...]


def body_fields(description: Description, body: Json) -> BodyFields | None:
    """What a request body holds, None where there is none. Raises ReferenceUnresolved."""
    content = description.resolved(body).get("content")
    if not isinstance(content, Mapping) or not content:
        return None
    media: dict[str, list[str]] = {}
    for declared in content:
        media.setdefault(format_of(declared), []).append(declared)
    main = next((name for name in _WITH_FIELDS if name in media), None)
    if main is None:
        formats = tuple(sorted(media))
        fields = {name: field for name in formats for name, field in _WHOLE[name].items()}
        return BodyFields(formats, fields, False, ())
    shapes = {
        name: [_members(description, content[declared], name) for declared in media[name]]
        for name in _WITH_FIELDS
        if name in media
    }
    shape = shapes[main][0]
    formats = tuple(name for name, alternatives in shapes.items() if _same_fields(shape, alternatives[0]))
    others = sorted(
        declared
        for name, types in media.items()
        for declared, rival in zip(types, shapes.get(name, [None] * len(types)), strict=True)
        if name not in formats or not _same_fields(shape, rival)
    )
    gaps: tuple[str, ...] = ()
    if others:
        gaps = (f"of its bodies {', '.join(formats)} is taken, not {', '.join(others)[:100]}",)
    if shape is None:
        sentence = "the body is not described as an object: what it holds is not listed"
        return BodyFields(formats, {}, True, (*gaps, sentence))
    if shape.is_open:
        gaps += ("the body may hold members that are not described: they are allowed (others: allow)",)
    fields = {name: (f"/{escaped(name)}", kind) for name, kind in shape.kinds.items()}
    return BodyFields(formats, fields, shape.is_open, gaps)


def format_of(media: str) -> str:
    """The format that a catalogue has for a media type or range."""
    essence = media.partition(";")[0].strip().lower()
    if essence in ("application/json", "*/*", "application/*") or essence.endswith("+json"):
        return JSON
    if essence in _OF_FIELDS:
        return _OF_FIELDS[essence]
    if essence in _LINES:
        return "ndjson"
    return "text" if essence.startswith("text/") else "binary"


def _members(description: Description, media: Json, body_format: str) -> Members | None:
    members = members_of(description, description.resolved(media).get("schema"))
    if members is None or body_format == JSON:
        return members
    files = _files(description, media) if body_format == MULTIPART else frozenset()
    # a form has no null, and what it writes in brackets is a list or an object whatever its elements are
    kinds = {name: Kind("file" if name in files else kind.name, False, None) for name, kind in members.kinds.items()}
    return Members(kinds, members.is_open)


def _files(description: Description, media: Json) -> frozenset[str]:
    """The members that are uploaded files (OpenAPI 3.0.4, section 4.7.14.2; 3.1.1, section 4.8.14.4)."""
    members = described_members(description, description.resolved(media).get("schema"))
    return frozenset(name for name, facets in members.items() if any(map(_is_file, facets)))


def _is_file(facet: Mapping[str, Json]) -> bool:
    return facet.get("format") == "binary" or isinstance(facet.get("contentMediaType"), str)


def _same_fields(shape: Members | None, rival: Members | None) -> bool:
    """Whether two formats hold the same fields: an action lists them once for all its formats."""
    if shape is None or rival is None:
        return shape is rival
    return shape.is_open == rival.is_open and {name: kind.name for name, kind in shape.kinds.items()} == {
        name: kind.name for name, kind in rival.kinds.items()
    }
