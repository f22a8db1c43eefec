"""Texts with their escapes read: JSON's and Python's backslashes, percent, HTML entities, inline tags and comments.

All levels at once, for what is written twice (`%2531`, `\\\\u0031`) is read twice somewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache

from aegis_authz.redact.text.view import View

_TAGS = "a|abbr|b|bdi|big|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tt|u|var|wbr"
_ENTITIES = {
    "nbsp": " ", "ensp": " ", "emsp": " ", "thinsp": " ", "Tab": "\t", "NewLine": "\n", "shy": "", "zwj": "",
    "zwnj": "", "ndash": "-", "mdash": "-", "minus": "-", "dash": "-", "hyphen": "-", "num": "#", "period": ".",
    "commat": "@", "sol": "/", "bsol": "\\", "colon": ":", "lowbar": "_", "lpar": "(", "rpar": ")", "plus": "+",
    "equals": "=", "quot": '"', "apos": "'", "lt": "<", "gt": ">", "amp": "&",
}  # fmt: skip
_UNICODE = r"u[dD][89abAB][0-9a-fA-F]{2}\\{1,8}u[dD][c-fC-F][0-9a-fA-F]{2}|u\{?[0-9a-fA-F]{4}\}?"
_ESCAPE = re.compile(
    rf"(\\\\{{0,7}}+(?:{_UNICODE}|x[0-9a-fA-F]{{2}}|/)|%(?:25){{0,3}}[0-9a-fA-F]{{2}}"
    rf"|&(?:amp;){{0,2}}(?:#[0-9]{{1,7}}|#[xX][0-9a-fA-F]{{1,6}}|{'|'.join(_ENTITIES)});"
    rf"|</?(?i:{_TAGS})(?:[ \t\r\n][^<>]{{0,400}})?/?>|<!--[^<>]{{0,400}}-->)".encode("ascii")
)
"""Each alternative begins with a letter of its own, so that `re` steps over all else at once."""
_HIDDEN = b"\x7f"
_IDEOGRAPHS = re.compile(rb"\\u(?:[4-9][0-9a-fA-F]{3}|3[1-9a-fA-F][0-9a-fA-F]{2}|[bBcC][0-9a-fA-F]{3})")
"""Escapes of characters that never fold, all of the same width."""
_SHORT = (
    (b'\\\\\\"', b'   "'), (b"\\\\n", b"  \n"), (b"\\\\r", b"  \r"), (b"\\\\t", b"  \t"),
    (b"\\n", b" \n"), (b"\\r", b" \r"), (b"\\t", b" \t"), (b"\\b", b"  "), (b"\\f", b"  "), (b'\\"', b' "'),
)  # fmt: skip
"""Escapes of one letter, also of JSON in a string, and white space of the same width in their place."""

_HTML = (b"&", b"%", b"<")


def has_escapes(data: bytes) -> bool:
    """Whether a text holds anything that could be an escape."""
    return b"\\" in data or any(mark in data for mark in _HTML)


def without_escapes(view: View) -> View:
    """The view with every escape read."""
    data = view.data
    if b"\\" in data:
        data = _IDEOGRAPHS.sub(_HIDDEN * 6, data)
        for sequence, meant in _SHORT:
            data = data.replace(sequence, meant)
    parts = _ESCAPE.split(data)
    if len(parts) == 1:
        return View(data, view.maps)
    written = list(map(len, parts))
    parts[1::2] = map(_meaning, parts[1::2])
    return View(data, view.maps).replaced(parts, written)


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    """What an escape stands for, as UTF-8 or (from percent) as a byte."""
    first = escape[:1]
    if first == b"<":
        return b""
    if first == b"%":
        return bytes((int(escape[-2:], 16),))
    if first == b"&":
        return _entity(escape.rpartition(b"&")[2].replace(b"amp;", b"").decode("ascii").rstrip(";")).encode()
    plain = escape.lstrip(b"\\").decode("ascii")
    if plain == "/":
        return b"/"
    if plain[0] == "x":
        return chr(int(plain[1:], 16)).encode()
    units = [int(digits, 16) for digits in re.findall(r"u\{?([0-9a-fA-F]{4})", plain)]
    text = b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace")
    return text.encode()


def _entity(name: str) -> str:
    if not name.startswith("#"):
        return _ENTITIES.get(name, "&")
    number = int(name[1:].lstrip("xX"), 16) if name[1] in "xX" else int(name[1:])
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\x7f"
