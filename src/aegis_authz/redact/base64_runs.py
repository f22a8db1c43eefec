"""Base64 in a text: opened where it holds text, which is then searched too."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator

from aegis_authz.redact.text.pattern import Span, expression

_RUN = expression(r"[A-Za-z0-9+/_-]{16}[A-Za-z0-9+/_-]*={0,2}(?:[ ]{0,2}\r?[ ]?\n[A-Za-z0-9+/_-]+={0,2})*")
_LINE_END = re.compile(rb"[ \r\n]+")
_PROBE = 12
"""Letters without a line end or padding among them; nine bytes by which most that is no text can be told."""

_LONG_PROBE = 64
_PLAIN = bytes.maketrans(b"-_", b"+/")
_ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_TEXT = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xc0\xc1\xf5-\xff]|(?<![\x80-\xff])[\x80-\xbf]|[\xc2-\xf4][^\x80-\xbf]"
)
"""What stands in no text in UTF-8."""

_SHORTEST = 16
_PARTS = 8


def base64_texts(data: bytes, tick: Callable[[], None]) -> Iterator[tuple[Span, bytes]]:
    """Yield each run of Base64 (either alphabet, in one line or many) that holds text, and that text."""
    for start, end in _RUN.spans(data):
        run = data[start:end]
        tick()
        text = None if run.isdigit() else _text(run)
        if text is not None:
            yield (start, end), text
            continue
        if b"/" not in run:
            continue
        place = start
        for part in run.split(b"/", _PARTS):
            text = _text(part) if len(part) >= _SHORTEST else None
            if text is not None:
                yield (place, place + len(part)), text
            place += len(part) + 1


def _text(run: bytes) -> bytes | None:
    """What the run stands for if that is text."""
    try:
        head = binascii.a2b_base64(run[:_PROBE].translate(_PLAIN))
    except binascii.Error:  # padding or a line end among them
        head = b""
    if _NO_TEXT.search(head) is not None or not _is_text(_decoded(run[:_LONG_PROBE])):
        return None
    text = _decoded(run)
    return text if _is_text(text) else None


def _decoded(run: bytes) -> bytes:
    plain = _LINE_END.sub(b"", run).rstrip(b"=").translate(_PLAIN)
    plain = plain[:-1] if len(plain) % 4 == 1 else plain
    try:
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def _is_text(data: bytes) -> bool:
    if not data or _ODD.search(data) is not None:
        return False
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        if fault.start < len(data) - 3:
            return False
        text = data[: fault.start].decode("utf-8")
    return bool(text)
