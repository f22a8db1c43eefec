"""Texts with their escapes read: JSON's and Python's backslashes, percent, HTML entities, inline tags and comments.

All levels at once, for what is written twice (`%2531`, `\\\\u0031`) is read twice somewhere. And each notation without
the others where several stand together: a reader of JSON shows `%123-45-678\\u0039` as it is but for its last digit,
where `%12` read as a control character would take two digits away, and `%25123-45-6789` read twice would, too.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from aegis_authz.redact.text.view import View

_TAGS = "a|abbr|b|bdi|big|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tspan|tt|u|var|wbr"
_ENTITIES = {
    "nbsp": " ", "ensp": " ", "emsp": " ", "thinsp": " ", "Tab": "\t", "NewLine": "\n", "shy": "", "zwj": "",
    "zwnj": "", "ndash": "-", "mdash": "-", "minus": "-", "dash": "-", "hyphen": "-", "num": "#", "period": ".",
    "commat": "@", "sol": "/", "bsol": "\\", "colon": ":", "lowbar": "_", "lpar": "(", "rpar": ")", "plus": "+",
    "equals": "=", "quot": '"', "apos": "'", "lt": "<", "gt": ">", "amp": "&",
}  # fmt: skip
_UNICODE = r"u[dD][89abAB][0-9a-fA-F]{2}\\{1,8}u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}"
_ATTRIBUTES = (
    r"""(?:[ \t\r\n](?:[^<>"']{0,400}(?:(?:"[^"<]{0,400}"|'[^'<]{0,400}')[^<>"']{0,400}){0,16}|[^<>]{0,400}))?"""
)
_SLASHED = rf"\\\\{{0,7}}+(?:{_UNICODE}|x[0-9a-fA-F]{{2}}|/)"
_OF_JSON = r"\\\\{0,7}+(?:u[dD][89abAB][0-9a-fA-F]{2}\\{1,8}u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|/)"
_PERCENT = "%[0-9a-fA-F]{2}"
_MARKUP = (
    rf"&(?:#0{{0,8}}[0-9]{{1,7}};?|#[xX]0{{0,8}}[0-9a-fA-F]{{1,6}};?|(?:{'|'.join(_ENTITIES)});)"
    rf"|</?(?i:{_TAGS}|br){_ATTRIBUTES}/?>|<!--(?:[^<-]|<(?!!--)|-(?!->)){{0,400}}-->"
    r"|<\?[^<>]{0,400}\?>|<!\[CDATA\[|\]\]>"
)


def _any_of(*notations: str) -> re.Pattern[bytes]:
    return re.compile(f"({'|'.join(notations)})".encode("ascii"))


_ESCAPE = _any_of(_SLASHED, "%(?:25){0,3}[0-9a-fA-F]{2}", _MARKUP.replace("&", "&(?:amp;){0,2}", 1))
"""Each alternative begins with a letter of its own, so that `re` steps over all else at once."""
_JSON_ALONE = _any_of(_OF_JSON)
_JSON_AND_PERCENT = _any_of(_OF_JSON, _PERCENT)
_JSON_AND_MARKUP = _any_of(_OF_JSON, _MARKUP)
_TWICE = re.compile(rb"%25.|&amp;.")
_NO_JSON = re.compile(rb"\\+(?:x|u\{)|[%&<\]]")
_BREAK = re.compile(rb"</?br\b", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HIDDEN = b"\x7f"
_IDEOGRAPHS = re.compile(rb"\\u(?:[4-9][0-9a-fA-F]{3}|3[1-9a-fA-F][0-9a-fA-F]{2}|[bBcC][0-9a-fA-F]{3})")
"""Escapes of characters that never fold, all of the same width."""
_SHORT = (
    (b'\\\\\\"', b'   "'), (b"\\\\n", b"  \n"), (b"\\\\r", b"  \r"), (b"\\\\t", b"  \t"),
    (b"\\n", b" \n"), (b"\\r", b" \r"), (b"\\t", b" \t"), (b"\\b", b"  "), (b"\\f", b"  "), (b'\\"', b' "'),
)  # fmt: skip
"""Escapes of one letter, also of JSON in a string, and white space of the same width in their place."""

_BLOCK = 32 * 1024
_REACH = 16 * 1024
"""Longer than any escape: a tag with sixteen attributes in quotes."""

_HTML = (b"&", b"%", b"<")
_MARKS = (b"&", b"<", b"]")


def has_escapes(data: bytes) -> bool:
    """Whether a text holds anything that could be an escape."""
    return b"\\" in data or any(mark in data for mark in _HTML)


def readings(view: View) -> Iterator[View]:
    """The view as those see it who know only some of its notations, and last with every escape read."""
    data = view.data
    if b"\\" in data:
        data = _IDEOGRAPHS.sub(_HIDDEN * 6, data)
        for sequence, meant in _SHORT:
            data = data.replace(sequence, meant)
    parts = _parts(data, _ESCAPE)
    escapes = set(parts[1::2])
    if b"\\" in view.data and any(map(_NO_JSON.match, escapes)):
        yield _read(data, view, _parts(data, _JSON_ALONE))
    is_twice = any(map(_TWICE.match, escapes))
    has_percent = any(b"%" in escape for escape in escapes)
    has_markup = any(escape[:1] in _MARKS for escape in escapes)
    if has_percent and (has_markup or is_twice):
        yield _read(data, view, _parts(data, _JSON_AND_PERCENT))
    if has_markup and (has_percent or is_twice):
        yield _read(data, view, _parts(data, _JSON_AND_MARKUP))
    yield _read(data, view, parts)


def _read(data: bytes, view: View, parts: list[bytes]) -> View:
    """The view of `data`, as long as that of `view`, with these escapes read."""
    if len(parts) == 1:
        return View(data, view.maps)
    written = list(map(len, parts))
    parts[1::2] = map(_meaning, parts[1::2])
    return View(data, view.maps).replaced(parts, written)


def _parts(data: bytes, escape: re.Pattern[bytes]) -> list[bytes]:
    """The text cut at its escapes: plain, escape, plain and so on.

    In blocks: `re` lets no other thread run before it is through.
    """
    if len(data) <= _BLOCK + _REACH:
        return escape.split(data)
    parts = [b""]
    place = 0
    while place < len(data):
        block = data[place : place + _BLOCK + _REACH]
        cuts = escape.split(block)
        read = len(block)
        if place + read < len(data):  # what begins behind the block is whole in the next
            ends = list(accumulate(map(len, cuts)))
            whole = 2 * bisect_left(ends[:-1:2], _BLOCK)
            read = max(_BLOCK, ends[whole - 1] if whole else 0)
            cuts = [*cuts[:whole], block[ends[whole - 1] if whole else 0 : read]]
        parts[-1] += cuts[0]
        parts += cuts[1:]
        place += read
    return parts


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    """What an escape stands for, as UTF-8 or (from percent) as a byte."""
    first = escape[:1]
    if first in (b"<", b"]"):
        return b"\n" if _BREAK.match(escape) is not None else b""
    if first == b"%":
        return _visible(bytes((int(escape[-2:], 16),)))
    if first == b"&":
        return _visible(_entity(escape.rpartition(b"&")[2].replace(b"amp;", b"").decode("ascii").rstrip(";")).encode())
    plain = escape.lstrip(b"\\").decode("ascii")
    if plain == "/":
        return b"/"
    if plain[0] == "x":
        return _visible(chr(int(plain[1:], 16)).encode())
    if plain[1] == "{":
        return _visible(_character(int(plain[2:-1], 16)).encode())
    units = [int(digits, 16) for digits in re.findall("u([0-9a-fA-F]{4})", plain)]
    text = b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace")
    return _visible(text.encode())


def _visible(meaning: bytes) -> bytes:
    """What an escape stands for; nothing for a character that nobody sees."""
    return b"" if _CONTROL.match(meaning) is not None else meaning


def _entity(name: str) -> str:
    if not name.startswith("#"):
        return _ENTITIES.get(name, "&")
    return _character(int(f"0{name[1:]}", 0) if name[1] in "xX" else int(name[1:]))


def _character(number: int) -> str:
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\x7f"
