"""Forms: `application/x-www-form-urlencoded`, where no reader of forms reads them otherwise (WHATWG URL, 5.1)."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.fields import MAX_FIELDS, MAX_NAME, MOST_NAMES, FieldTree

_FOREIGN = re.compile(rb"[^!-:<-~]")
"""What no client writes as itself: spaces, control characters, bytes beyond ASCII, and `;`."""
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00")


def read_form(data: bytes, repeated: Collection[str]) -> dict[str, Json]:
    """The fields of a form: texts, and objects and lists of them where names have brackets.

    `repeated` names the fields that are lists without brackets. Raises Refused(FORM_MALFORMED) for what readers take
    differently and for more than `MAX_FIELDS` fields, and Refused(DUPLICATE_KEY) for a name given twice.
    """
    if data.count(b"&") >= MAX_FIELDS:
        raise _malformed("", f"The form has more than {MAX_FIELDS} fields, of which some readers drop the rest.")
    _refuse_foreign(data)
    has_escapes = b"%" in data
    fields = FieldTree(repeated, Reason.FORM_MALFORMED)
    for pair in data.decode("ascii").split("&"):
        name, mark, value = pair.partition("=")
        if not mark or not name:
            raise _malformed(pair, f"The pair {quoted(pair)} is not name=value, or there is an & too many.")
        if has_escapes:
            fields.add(_decoded_name(name), _decoded(value, name) if "%" in value else value.replace("+", " "))
        else:
            fields.add(name.replace("+", " "), value.replace("+", " "))
    return fields.finish()


def _refuse_foreign(data: bytes) -> None:
    foreign = _FOREIGN.search(data)
    if foreign is not None:
        place = f"character {foreign.start() + 1}"
        semicolon = "a semicolon, which some readers take for a separator. Write %3B, or &"
        what = semicolon if foreign[0] == b";" else "a byte that is not written as an escape. Write %XX of UTF-8"
        raise _malformed(place, f"The form has at {place} {what}.")
    bad = _BAD_ESCAPE.search(data) if b"%" in data else None
    if bad is not None:
        place = f"character {bad.start() + 1}"
        what = "NUL, where some readers end" if bad[0] == b"%00" else "a percent sign that begins no escape. Write %25"
        raise _malformed(place, f"The form has at {place} {what}.")


def _decoded_name(name: str) -> str:
    return _remembered(name) if len(name) <= MAX_NAME else _decoded(name, name)


@lru_cache(MOST_NAMES)
def _remembered(name: str) -> str:
    return _decoded(name, name)


def _decoded(text: str, name: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise _malformed(name, f"The field {quoted(name)} has an escape that is no UTF-8.") from None


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.FORM_MALFORMED, "the form cannot be read without doubt", Fault("body", at, problem))
