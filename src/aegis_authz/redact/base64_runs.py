"""Base64 in a text: opened where it holds text, which is then searched too."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from aegis_authz.redact.text.pattern import Span, expression

BASE64_HEAD = r"[A-Za-z0-9+/_-]{16}"
_RUN = expression(r"[A-Za-z0-9+/_-]{16}[A-Za-z0-9+/_-]*={0,2}(?:[ ]{0,2}\r?[ ]?\n[A-Za-z0-9+/_-]+={0,2})*")
_LINE_END = re.compile(rb"[ \r\n]+")
_PROBE = 64
_ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SHORTEST = 16
_PARTS = 8


def base64_texts(data: bytes, tick: Callable[[], None]) -> Iterator[tuple[Span, bytes]]:
    """Yield each run of Base64 (either alphabet, in one line or many) that holds text, and that text."""
    for match in _RUN.finditer(data):
        start, end = match.span()
        run = data[start:end]
        tick()
        text = _text(run)
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
    if not _is_text(_decoded(run[:_PROBE])):
        return None
    text = _decoded(_LINE_END.sub(b"", run))
    return text if _is_text(text) else None


def _decoded(run: bytes) -> bytes:
    plain = _LINE_END.sub(b"", run).rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    plain = plain[: len(plain) // 4 * 4] if len(plain) % 4 == 1 else plain
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
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
