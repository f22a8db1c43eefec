"""What a file may not hold at all, whatever it means: said before anything is read."""

from __future__ import annotations

import json
import re

from aegis_authz.policy.source.places import place_of, problem_at
from aegis_authz.policy.source.problems import Problem

MAX_BYTES = 1024 * 1024

# Tabs and control characters; line breaks only YAML 1.1 knows; marks that reorder what a person sees or are not seen.
_REFUSED = re.compile(
    r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_COMMENT = ("//", "/*", "#")


def refused_text(path: str, text: str) -> Problem | None:
    """Why the file at `path` is not read: its size, a character, or that a `.json` file is no JSON.

    None if it can be.
    """
    if len(text) > MAX_BYTES or (not text.isascii() and _too_large(text)):
        return Problem(path, 1, 1, "", f"larger than {MAX_BYTES} bytes; put it into several files")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        return problem_at(path, text, place_of(text, fault.start), "", "not UTF-8")
    refused = _REFUSED.search(text)
    if refused is not None:
        return problem_at(path, text, place_of(text, refused.start()), "", _of_character(text, refused.start()))
    return _not_json(path, text) if path.lower().endswith(".json") else None


def _too_large(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES


def _of_character(text: str, at: int) -> str:
    character = text[at]
    if character == "\t":
        line = text[: at + 1].splitlines()[-1]
        where = " in the indentation" if not line.strip() else ""
        return f"tabs are not allowed{where}; use spaces"
    if character == "\ufeff" and at == 0:
        return "begins with a byte order mark (U+FEFF); save the file as UTF-8 without one"
    if character == "\x00":
        return "holds a zero byte (U+0000): this is no text, or UTF-16; save the file as UTF-8"
    return f"the character U+{ord(character):04X} is not allowed"


def _not_json(path: str, text: str) -> Problem | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        return problem_at(path, text, place_of(text, fault.pos), "", f"not JSON: {_reason(text, fault)}")
    except (ValueError, RecursionError):
        return None  # too long a number, too deep: said of YAML and JSON alike where values are read
    return None


def _reason(text: str, fault: json.JSONDecodeError) -> str:
    at, rest = fault.pos, text[fault.pos : fault.pos + 2]
    before = text[:at].rstrip()[-1:]
    if rest.startswith(_COMMENT):
        return "comments are not allowed"
    if before == "," and rest[:1] in ("}", "]"):
        return "a comma after the last member is not allowed"
    if rest[:1] == "'":
        return "texts are written in double quotes"
    return fault.msg[:1].lower() + fault.msg[1:]
