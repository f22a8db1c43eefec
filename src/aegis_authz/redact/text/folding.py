"""Folding: the same characters, whatever dress they wear.

Digits of other scripts, dashes, spaces and invisible characters would hide a pattern from an ASCII expression while a
person, or the tool, still reads it. Letters of other scripts stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from aegis_authz.redact.text.view import View

_DASHES = "\u2212\u2043\udc96\udc97"
_DOTS = "\u00b7\u2022\u2219\u22c5"
_SPACES = "\x85\udca0"
"""Bytes that are no UTF-8 come as surrogates; these are dashes and spaces in Windows-1252 and Latin-1."""
_INVISIBLE = "\udcad"
_BLOCK = 16 * 1024
_RANGES = ((0x80, 0x3100), (0xA000, 0xAC00), (0xF900, 0x10000))
_FAR_RANGES = (
    (0x10400, 0x11E00), (0x16A00, 0x16C00), (0x1D400, 0x1D800), (0x1E100, 0x1EA00), (0x1F100, 0x1F200),
    (0x1FBF0, 0x1FBFA), (0xE0000, 0xE01F0),
)  # fmt: skip
"""Where characters are that can fold: Unicode without ideographs, Hangul, private use and historical scripts."""


def folded(view: View) -> View:
    """The view with odd characters in ASCII, and without invisible ones."""
    if view.data.isascii():
        return view
    try:
        text, codec = view.data.decode(), "strict"
    except UnicodeDecodeError:
        text, codec = view.data.decode("utf-8", "surrogateescape"), "surrogateescape"
    parts, written = _folded_parts(text, codec)
    return view if len(parts) == 1 else view.replaced(parts, written)


def _folded_parts(text: str, codec: str) -> tuple[list[bytes], list[int]]:
    """What the text is in ASCII, cut at its odd characters, and how many bytes each part was."""
    parts = [""]
    for place in range(0, len(text), _BLOCK):  # `re` lets no other thread run before it is through
        cuts = odd_characters().split(text[place : place + _BLOCK])
        parts[-1] += cuts[0]
        parts += cuts[1:]
    encoded = [part.encode("utf-8", codec) for part in parts]
    written = list(map(len, encoded))
    encoded[1::2] = [character.encode("utf-8", codec) for character in map(fold_character, parts[1::2])]
    return encoded, written


@lru_cache(maxsize=1)
def odd_characters() -> re.Pattern[str]:
    """The class of characters that fold to something else than themselves, as a group to split texts at."""
    odd = [chr(code) for first, last in _RANGES for code in range(first, last) if _folds(chr(code))]
    # beyond the BMP `re` looks at one member of a class after the other: whole ranges, sorted out by fold_character
    far = "".join(f"{chr(first)}-{chr(last - 1)}" for first, last in _FAR_RANGES)
    return re.compile(f"([{re.escape(''.join((*odd, *_DASHES, *_DOTS, *_SPACES, *_INVISIBLE)))}{far}])")


def _folds(character: str) -> bool:
    return fold_character(character) != character


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """One ASCII character for one that means the same, "" for one that cannot be seen, else the character itself."""
    if character < "\x80" or character in _INVISIBLE:
        return character if character < "\x80" else ""
    if character in _DASHES:
        return "-"
    if character in _DOTS:
        return "."
    if character in _SPACES:
        return " "
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd":
        return "-"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Cf", "Cc", "Mn", "Me"):
        return ""
    plain = unicodedata.normalize("NFKD", character)
    return plain if len(plain) == 1 and plain.isascii() and plain.isprintable() else character
