"""The path and the query of a request, decoded so that no tool can decode them otherwise."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from aegis_authz.core.fault import Fault, character_name, quoted
from aegis_authz.core.path_template import PathTemplate, Rank
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import folded, shape, stem

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_DECODINGS = 3
_PARTS = re.compile(r"[\[\].]")
_SUFFIX_MARKS = ".;:,%~ \\/?#\x00"
_HIDDEN = re.compile(r"[/\\]|%(?:2[ef]|5c)", re.IGNORECASE)


def path_segments(path: str) -> list[str]:
    """The decoded segments of a path. Raises Refused(MALFORMED_CALL) where two readers could see two paths."""
    if not path.startswith("/"):
        raise _malformed("path", "", "no leading slash", "The path does not begin with a slash.")
    if ";" in path:
        # /a;x=y is one resource to some servers and another to others
        at = _character(path.index(";"))
        raise _malformed(
            "path",
            at,
            "matrix parameters",
            f"The path has a semicolon at {at}; some servers drop what follows. Write %3B.",
        )
    segments: list[str] = []
    offset = 1
    for part in path[1:].split("/"):
        segment = _decoded(part, "path", offset)
        # a dot or slash that is still encoded now comes out in a tool that decodes once more
        if _climbs(segment) or _HIDDEN.search(segment):
            at = _character(offset)
            problem = f"The path's segment {quoted(part)} at {at} climbs, or hides a slash in an escape."
            raise _malformed("path", at, "the path climbs or hides a slash", problem)
        segments.append(segment)
        offset += len(part) + 1
    return segments


def is_disguised(segments: Sequence[str], templates: Iterable[PathTemplate]) -> bool:
    """Whether some server takes a path for one of a template that it does not match to the letter.

    Servers fold case, drop what follows a dot, a semicolon or a colon (`/secret.json`), trim spaces, and decode
    what was encoded twice.
    """
    forms: list[str] = []
    for template in templates:
        count = len(template.segments)
        if len(segments) <= count if template.tail else len(segments) != count:
            continue
        if not forms:
            forms = [_form(segment) for segment in segments]
        if _is_taken_for(segments, forms, template):
            return True
    return False


def _form(text: str) -> str:
    decoded = text
    for _ in range(_MOST_DECODINGS if "%" in text else 0):
        decoded = unquote(decoded)
    return decoded.casefold().strip() if decoded.isascii() and decoded.isprintable() else shape(decoded).strip()


def _is_taken_for(segments: Sequence[str], forms: Sequence[str], template: PathTemplate) -> bool:
    is_unlike = False
    for segment, text, form in zip(template.segments, segments, forms, strict=False):
        if segment.rank is Rank.VARIABLE:
            continue
        if segment.rank is Rank.LITERAL:
            if text == segment.literals[0]:
                continue
            literal = segment.forms[0]
            if not (form.startswith(literal) and (form == literal or form[len(literal)] in _SUFFIX_MARKS)):
                return False
        else:
            if segment.split(text) is not None:
                continue
            if not _is_split(form, segment.forms):
                return False
        is_unlike = True
    return is_unlike


def _is_split(form: str, literals: Sequence[str]) -> bool:
    """Whether a text is one of literals and variables in turn, for a server that drops what follows a mark."""
    if not form.startswith(literals[0]):
        return False
    at = len(literals[0])
    for literal in literals[1:-1]:
        at = form.find(literal, at + 1) + len(literal)
        if at < len(literal):
            return False
    return _ends_with(form, literals[-1], at + 1) if literals[-1] else at < len(form)


def _ends_with(form: str, literal: str, start: int) -> bool:
    """Whether a text ends with a literal, or does once a server has dropped what follows a mark."""
    at = form.find(literal, start)
    while at >= 0:
        end = at + len(literal)
        if end == len(form) or form[end] in _SUFFIX_MARKS:
            return True
        at = form.find(literal, at + 1)
    return False


def _climbs(segment: str) -> bool:
    """Whether a segment is one of dots, to a server that trims, folds or drops what follows a semicolon, too."""
    plain = (segment if segment.isascii() else shape(segment)).partition(";")[0]
    return plain.strip(" .") == "" and "." in plain


def query_parameters(query: str, repeated: Collection[str]) -> Mapping[str, str | list[str]]:
    """The decoded query parameters; of the names in `repeated`, the list of all their values in order.

    Raises Refused(MALFORMED_CALL) for separators and escapes that servers read differently, and
    Refused(DUPLICATE_KEY) for any other name given twice, in whatever spelling some server takes for the same.
    """
    values: dict[str, str | list[str]] = {}
    if not query:
        return values
    if ";" in query:
        at = _character(query.index(";"))
        problem = f"The query has a semicolon at {at}, which some servers take for a separator. Write %3B, or &."
        raise _malformed("query", at, "the query has semicolons", problem)
    forms: set[str] = set()
    stems: set[str] = set()
    offset = 0
    is_decoded = "%" not in query and "+" not in query and query.isascii() and query.isprintable()
    for pair in query.split("&"):
        if not pair:  # a separator too many is nothing to every reader
            offset += 1
            continue
        name_text, _, value = pair.partition("=")
        name = name_text if is_decoded else _decoded(name_text.replace("+", " "), "query", offset)
        if not name.isprintable():
            unseen = next(character for character in name if not character.isprintable())
            # values may be in any language; a name that cannot be seen is taken for another name
            at = _character(offset)
            problem = (
                f"The name {quoted(name)} at {at} of the query holds {character_name(unseen)}, which cannot be seen."
            )
            raise _malformed("query", at, "the query has a name that cannot be seen", problem)
        decoded = value
        if value and not is_decoded:
            decoded = _decoded(value.replace("+", " "), "query", offset + len(name_text) + 1)
        offset += len(pair) + 1
        elements = values.get(name)
        if isinstance(elements, list):
            elements.append(decoded)
            continue
        if "proto" in name and _names_prototype(name):
            problem = f"The name {quoted(name)} of the query is taken for a prototype by readers in JavaScript."
            raise _malformed("query", _character(offset), "the query names a prototype", problem)
        form = folded(name)
        trunk = stem(name) if "[" in form else form
        if form in forms or trunk in forms or form in stems:  # a[x] and a[y] are two parts of one; a and a[] are one
            raise Refused(
                Reason.DUPLICATE_KEY,
                "the query names a parameter twice",
                Fault("query", name, f"The query names the parameter {quoted(name)} twice."),
            )
        forms.add(form)
        if trunk != form:
            stems.add(trunk)
        values[name] = [decoded] if name in repeated else decoded
    return values


def _names_prototype(name: str) -> bool:
    parts = set(_PARTS.split(name))
    return "__proto__" in parts or {"constructor", "prototype"} <= parts


def _decoded(text: str, where: str, offset: int) -> str:
    """The text without its escapes. `offset` is where it begins in its path or query."""
    if "%" not in text and text.isascii() and text.isprintable():
        return text
    bad = _BAD_ESCAPE.search(text)
    if bad is not None:
        # left alone by some servers, an error to others, and %u0061 is a letter to a few
        at = _character(offset + bad.start())
        problem = f"The {where} has a percent sign at {at} that begins no escape. Write %25."
        raise _malformed(where, at, f"the {where} has a percent sign that begins no escape", problem)
    raw = unquote_to_bytes(text)
    try:
        decoded = raw.decode("utf-8", "strict")
    except UnicodeDecodeError as fault:
        at = _character(offset + _written(text, fault.start))
        raise _malformed(
            where, at, f"the {where} is not UTF-8", f"The {where} has an escape at {at} that is no UTF-8."
        ) from None
    control = _CONTROL.search(decoded)
    if control is not None:
        at = _character(offset + _written(text, len(decoded[: control.start()].encode())))
        problem = f"The {where} has a control character at {at}: {character_name(control.group())}."
        raise _malformed(where, at, f"the {where} has control characters", problem)
    return decoded


def _written(text: str, position: int) -> int:
    """How many characters of a text with escapes stand before the byte at `position` of what it decodes to."""
    length = 0
    while position > 0:
        step = text[length : length + 1]
        length += 3 if step == "%" else 1
        position -= 1 if step == "%" else len(step.encode())
    return length


def _character(position: int) -> str:
    return f"character {position + 1}"


def _malformed(where: str, at: str, detail: str, problem: str) -> Refused:
    return Refused(Reason.MALFORMED_CALL, detail, Fault(where, at, problem))
