"""JSON pointers: which texts are pointers, and the names they lead through (RFC 6901)."""

from __future__ import annotations

import re

_POINTER = re.compile(r"(/([^~/]|~[01])*)*\Z")


def is_pointer(text: str) -> bool:
    """Whether a text is a JSON pointer; the empty text is, and points at all of a document."""
    return _POINTER.match(text) is not None


def escaped(name: str) -> str:
    """A member's name as a part of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def split(pointer: str) -> tuple[str, ...]:
    """The names and places of a pointer, unescaped; none for the empty pointer.

    Raises ValueError for a text that does not start with `/`. A `~` that escapes nothing stands for itself: whoever
    takes a pointer from outside asks `is_pointer` first.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError("a JSON pointer starts with /")
    parts = pointer[1:].split("/")
    if "~" not in pointer:
        return tuple(parts)
    # ~1 first: ~01 is the text ~1 (RFC 6901, section 4)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
