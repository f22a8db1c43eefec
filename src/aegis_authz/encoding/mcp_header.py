"""Texts in MCP headers: as they are, or as =?base64?...?= where a header could not carry them (revision 2026-07-28)."""

from __future__ import annotations

import base64

_BEGIN, _END = "=?base64?", "?="


def is_encoded(value: str) -> bool:
    """Whether a header's value is written in base64."""
    return value.startswith(_BEGIN) and value.endswith(_END)


def decode(value: str) -> str:
    """The text of a header's value. Raises ValueError where one text has another spelling, or none can be read."""
    if not is_encoded(value):
        return value
    try:
        text = base64.b64decode(value[len(_BEGIN) : -len(_END)], validate=True).decode("utf-8")
    except ValueError:  # also those of binascii and of UTF-8
        raise ValueError("an encoded MCP header cannot be read") from None
    if encode(text) != value:  # bits that are not zero, or ends that overlap
        raise ValueError("an encoded MCP header is not in its one spelling")
    return text


def encode(text: str) -> str:
    """The text in base64, as a header's value."""
    return f"{_BEGIN}{base64.b64encode(text.encode('utf-8')).decode('ascii')}{_END}"
