"""Text as the detectors see it: the same characters, whatever dress they wear.

Digits of other scripts, dashes, spaces and invisible characters would hide a pattern from an ASCII
expression while a person, or the tool, still reads it. Escapes of JSON, URLs and HTML inside a
string do the same; they are looked at both as they stand and decoded.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_ESCAPE = r"""\\{1,8}u[0-9a-fA-F]{4}|\\{1,8}[nrtbf"/]|%[0-7][0-9a-fA-F]|&#(?:x[0-9a-fA-F]{1,6}|[0-9]{1,7});|&nbsp;"""
_ODD_CHARACTER = r"[^\x20-\x7e\t\n\r]"
_ODD = re.compile(_ODD_CHARACTER)
_ODD_OR_ESCAPE = re.compile(f"{_ESCAPE}|{_ODD_CHARACTER}")
_ESCAPED = re.compile(_ESCAPE)
_OTHER = "\x7f"


@dataclass(frozen=True, slots=True)
class Folded:
    """ASCII `text` and the way back from it to the string it was made of."""

    text: bytes
    _folded_at: tuple[int, ...]
    _original_at: tuple[int, ...]
    _widths: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original string behind `text[start:end]`, which must not be empty."""
        first = bisect_right(self._folded_at, start) - 1
        last = bisect_right(self._folded_at, end - 1) - 1
        return (
            self._original_at[first] + start - self._folded_at[first],
            self._original_at[last] + end - 1 - self._folded_at[last] + self._widths[last],
        )


def views(text: str) -> Iterator[Folded]:
    """Yield the text as it stands and, when it holds escapes, also with these decoded."""
    if text.isascii() and text.isprintable():
        yield Folded(text.encode("ascii"), (0,), (0,), (1,))
    else:
        yield _fold(text, _ODD)
    if ("\\" in text or "%" in text or "&" in text) and _ESCAPED.search(text) is not None:
        yield _fold(text, _ODD_OR_ESCAPE)


def _fold(text: str, special: re.Pattern[str]) -> Folded:
    parts: list[str] = []
    folded_at, original_at, widths = [0], [0], [1]
    length, read = 0, 0
    for match in special.finditer(text):
        start, end = match.span()
        plain = text[read:start]
        character = fold_character(_meant(match.group()))
        parts += (plain, character)
        length += len(plain)
        folded_at += (length, length + len(character))
        original_at += (start, end)
        widths += (end - start, 1)
        length += len(character)
        read = end
    parts.append(text[read:])
    return Folded("".join(parts).encode("ascii"), tuple(folded_at), tuple(original_at), tuple(widths))


def _meant(token: str) -> str:
    """The character an escape stands for; a single character is itself."""
    if len(token) == 1:
        return token
    if token.startswith("%"):
        return chr(int(token[1:], 16))
    if token.startswith("&#"):
        number = int(token[3:-1], 16) if token[2] == "x" else int(token[2:-1])
        return chr(number) if number <= 0x10FFFF else _OTHER
    if token[-1] in '"/':
        return token[-1]
    return chr(int(token[-4:], 16)) if len(token) >= 6 and token[-5] == "u" else " "


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """One ASCII character for one of Unicode, "" for what cannot be seen.

    A letter without an ASCII relative becomes "x", every other character DEL.
    """
    if " " <= character <= "~" or character in "\t\n\r":
        return character
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return str(decimal)
    category = unicodedata.category(character)
    if category == "Pd" or character in "\u2212\u2043":
        return "-"
    if category in ("Zs", "Zl", "Zp") or character == "\x85":
        return " "
    if category in ("Cf", "Cc", "Mn", "Me"):
        return ""
    plain = unicodedata.normalize("NFKD", character)[0]
    if plain.isascii() and plain.isprintable():
        return plain
    return "x" if character.isalpha() else _OTHER
