"""Forms with files: `multipart/form-data` (RFC 7578), in the one spelling that all readers read alike.

Readers skip text around parts, take LF for CRLF, decode transfer encodings, prefer `filename*`, and stop where a
boundary is missing, each in its own way. Whatever needs any of that is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.body import Upload
from aegis_authz.wire.bodies.fields import MAX_FIELDS, FieldTree

_TYPE = re.compile(
    r"multipart/form-data[ \t]*;[ \t]*boundary=(\"?)([0-9A-Za-z'()+_./:=?-]{1,70})\1[ \t]*\Z", re.IGNORECASE
)
"""RFC 2046, section 5.1.1, but for space and comma, in which readers of headers see an end."""
_TOKEN = re.compile(r"[0-9A-Za-z'+_.-]+\Z")
_DISPOSITION = re.compile(
    r'form-data[ \t]*;[ \t]*name="([^"\\]+)"(?:[ \t]*;[ \t]*filename="([^"\\]*)")?[ \t]*\Z', re.IGNORECASE
)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_WORD = "[a-z0-9][a-z0-9!#$&^_.+-]{0,63}"
_MEDIA_TYPE = re.compile(rf'({_WORD}/{_WORD})(?:[ \t]*;[ \t]*charset="?utf-?8"?)?[ \t]*\Z')
_DISPOSITION_NAME, _TYPE_NAME = "content-disposition", "content-type"
_MOST_HEAD = 2048
"""Bytes of the headers of one part."""


def boundary_of(content_type: str) -> str:
    """The boundary that a content type declares. Raises Refused(MULTIPART_MALFORMED) for any doubt about it."""
    match = _TYPE.match(content_type.strip(" \t"))
    if match is None:
        problem = "content-type must be multipart/form-data; boundary=... (1 to 70 plain characters), and no more."
        raise Refused(Reason.MULTIPART_MALFORMED, "the boundary is in doubt", Fault("headers", _TYPE_NAME, problem))
    return match[2]


def multipart_type(boundary: str) -> str:
    """The content type of a body with that boundary."""
    value = boundary if _TOKEN.match(boundary) else f'"{boundary}"'
    return f"multipart/form-data; boundary={value}"


def read_multipart(data: bytes, boundary: str, repeated: Collection[str]) -> dict[str, Json]:
    """The fields of a body: texts, and an `Upload` for each file; names with brackets as in forms.

    Raises Refused(MULTIPART_MALFORMED) for what readers take differently and for more than `MAX_FIELDS` parts, and
    Refused(DUPLICATE_KEY) for a name given twice.
    """
    fields = FieldTree(repeated, Reason.MULTIPART_MALFORMED)
    for number, part in enumerate(_parts(data, b"--" + boundary.encode("ascii")), 1):
        fields.add(*_field(part, f"part {number}"))
    return fields.finish()


def _parts(data: bytes, delimiter: bytes) -> list[bytes]:
    first, between, last = delimiter + b"\r\n", b"\r\n" + delimiter + b"\r\n", b"\r\n" + delimiter + b"--"
    count = data.count(delimiter)
    if count > MAX_FIELDS + 1:
        raise _malformed("", f"The body has more than {MAX_FIELDS} parts, of which some readers drop the rest.")
    if not data.startswith(first):
        raise _malformed("", "The body does not begin with its boundary: nothing may stand before the first part.")
    end = len(data) - (2 if data.endswith(b"--\r\n") else 0)
    if not data.endswith(last, 0, end):
        if last in data:
            raise _malformed("", "Something stands behind the last boundary. Leave it out.")
        raise _malformed("", "The last boundary (--boundary--) is missing: the body is cut off, or has another one.")
    parts = data[len(first) : end - len(last)].split(between)
    if count != len(parts) + 1:
        problem = "The boundary stands within a part, or in a line that does not end with CRLF. Choose another one."
        raise _malformed("", problem)
    return parts


def _field(part: bytes, at: str) -> tuple[str, Json]:
    head, mark, content = part.partition(b"\r\n\r\n")
    if not mark or len(head) > _MOST_HEAD:
        raise _malformed(at, f"The headers of {at} do not end with an empty line within {_MOST_HEAD} bytes.")
    headers = _headers(head, at)
    match = _DISPOSITION.match(headers.get(_DISPOSITION_NAME, ""))
    if match is None:
        problem = 'must say Content-Disposition: form-data; name="..."; a file also filename="...", and no filename*.'
        raise _malformed(at, f"{at.capitalize()} {problem} Both are in quotes and without backslashes.")
    name, filename = match[1], match[2]
    if _ESCAPE.search(name) or not name.isprintable():
        raise _malformed(name, f"The name {quoted(name)} of {at} has an escape or a character that cannot be seen.")
    media_type = _media_type(headers.get(_TYPE_NAME), at)
    if filename is not None:
        return name, _upload(filename, media_type, content, at)
    if media_type not in ("", "text/plain"):
        problem = f"The field {quoted(name)} is declared as {quoted(media_type)}, which some readers parse."
        raise _malformed(name, f"{problem} Send plain text, or a file.")
    return name, _text(content, name)


def _headers(head: bytes, at: str) -> dict[str, str]:
    try:
        text = head.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise _malformed(at, f"The headers of {at} are not UTF-8.") from None
    headers: dict[str, str] = {}
    for line in text.split("\r\n"):
        name, mark, value = line.partition(":")
        lower = name.lower()
        if not mark or lower not in (_DISPOSITION_NAME, _TYPE_NAME) or "\r" in line or "\n" in line:
            problem = "has a header that is neither Content-Disposition nor Content-Type, or is folded."
            raise _malformed(at, f"{at.capitalize()} {problem}")
        if lower in headers:
            raise _malformed(at, f"{at.capitalize()} has the header {quoted(name)} twice.")
        headers[lower] = value.strip(" \t")
    return headers


def _media_type(value: str | None, at: str) -> str:
    """The media type of a part, "" for none."""
    if value is None:
        return ""
    match = _MEDIA_TYPE.match(value.lower())
    if match is None or match[1].startswith("multipart/"):
        problem = "has a Content-Type that is no media type, is of several parts, or says more than charset=utf-8."
        raise _malformed(at, f"{at.capitalize()} {problem}")
    return match[1]


def _upload(filename: str, media_type: str, content: bytes, at: str) -> Upload:
    is_path = "/" in filename or filename in ("", ".", "..")
    if is_path or not filename.isprintable() or _ESCAPE.search(filename):
        problem = "is empty, has a path, an escape or a character that cannot be seen. Send the name of the file alone."
        raise _malformed(at, f"The filename {quoted(filename)} of {at} {problem}")
    digest = hashlib.sha256(content).hexdigest()
    return Upload(name=filename, type=media_type, size=len(content), sha256=digest)


def _text(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise _malformed(name, f"The field {quoted(name)} is not UTF-8. Send what is no text as a file.") from None
    if "\0" in text:
        raise _malformed(name, f"The field {quoted(name)} holds NUL, where some readers end.")
    return text


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.MULTIPART_MALFORMED, "the parts cannot be read without doubt", Fault("body", at, problem))
