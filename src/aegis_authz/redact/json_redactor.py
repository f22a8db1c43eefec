"""Redaction of parsed JSON: every key and string, and JSON written inside strings.

Numbers are left as they are: another number in the place of one would be believed.
"""

from __future__ import annotations

import base64
import binascii
import re

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.redact.fields import Field, blank_fields
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.text.topics import LABEL_LENGTH, NO_TOPICS, Topics, topics_of, topics_of_label

_NESTING = 3
"""JSON in a string in JSON in a string: deeper than this it is looked at as text."""

_LOOKS_LIKE_JSON = re.compile(r"""\s*(?:\{\s*["}]|\[\s*[\[{"\]])""")


class JsonRedactor:
    """Redacts values with one redactor.

    `inner_fields` are blanked in JSON that stands inside strings, where such fields are meant.
    `opaque` says that members of MCP content which hold Base64 are opened: text in them is redacted,
    anything else refused, for what cannot be looked at must not pass.
    """

    def __init__(self, redactor: Redactor, inner_fields: tuple[Field, ...], opaque: bool) -> None:
        self._redactor = redactor
        self._inner_fields = inner_fields
        self._opaque = opaque

    def value(self, value: Json, topics: Topics = NO_TOPICS, nesting: int = _NESTING) -> Json:
        """The value with all matches in its texts redacted; types never change.

        Raises Refused(MALFORMED_CALL) for content that cannot be looked at.
        """
        match value:
            case bool() | None | int() | float():
                return value
            case str():
                return self._string(value, topics, nesting)
            case dict():
                return self.members(value, topics, nesting)
            case _:
                return [self.value(inner, topics, nesting) for inner in value]

    def members(self, members: dict[str, Json], topics: Topics = NO_TOPICS, nesting: int = _NESTING) -> dict[str, Json]:
        """`value` for an object: its names are redacted too, and stay distinct."""
        topics = topics.union(*(topics_of_label(v) for v in members.values() if _is_label(v)))
        redacted: dict[str, Json] = {}
        for name, inner in members.items():
            if self._opaque and isinstance(inner, str) and _holds_base64(name, members):
                new: Json = self._base64(inner)
            else:
                new = self.value(inner, topics | topics_of(name), nesting)
            redacted[_free(self._redactor.text(name, topics), redacted)] = new
        return redacted

    def _string(self, text: str, topics: Topics, nesting: int) -> str:
        if nesting and looks_like_json(text):
            text = self._inner_json(text, topics, nesting)
        return self._redactor.text(text, topics)

    def _inner_json(self, text: str, topics: Topics, nesting: int) -> str:
        try:
            value = strict_json.parse(text.encode("utf-8"))
        except Refused:
            if self._inner_fields:
                raise Refused(Reason.MALFORMED_CALL, "text like JSON in which no field can be found") from None
            return text
        before = self._redactor.counts.total()
        blanked = blank_fields(value, self._inner_fields, self._redactor.counts)
        redacted = self.value(blanked, topics, nesting - 1)
        return orjson.dumps(redacted).decode("utf-8") if self._redactor.counts.total() > before else text

    def _base64(self, data: str) -> str:
        try:
            text = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise Refused(Reason.MALFORMED_CALL, "binary content cannot be redacted") from None
        redacted = self._string(text, NO_TOPICS, 1)
        return data if redacted == text else base64.b64encode(redacted.encode("utf-8")).decode("ascii")


def looks_like_json(text: str) -> bool:
    """Whether a text begins as only JSON objects, and arrays of containers or strings, do."""
    return _LOOKS_LIKE_JSON.match(text) is not None


def _is_label(value: Json) -> bool:
    return isinstance(value, str) and len(value) <= LABEL_LENGTH


def _holds_base64(name: str, members: dict[str, Json]) -> bool:
    """Whether this member is `blob` of a resource or `data` of an image or audio (MCP, content types)."""
    return name == "blob" or (name == "data" and members.get("type") in ("image", "audio"))


def _free(name: str, taken: dict[str, Json]) -> str:
    """The name, numbered when redaction made two names alike."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free
