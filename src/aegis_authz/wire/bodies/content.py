"""Bodies that are looked at as a whole: texts, and content that nobody here can read."""

from __future__ import annotations

import hashlib

from aegis_authz.core.fault import Fault
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

TEXT_FACTS = frozenset({"type"})
CONTENT_FACTS = frozenset({"type", "size", "sha256"})


def read_text(data: bytes, media_type: str) -> dict[str, Json]:
    """The member `text`, and `type`. Raises Refused(TEXT_MALFORMED) for what is not UTF-8 or holds NUL."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as fault:
        at = f"byte {fault.start + 1}"
        raise _malformed(at, f"The text is not UTF-8 at {at}.") from None
    if "\0" in text:
        raise _malformed("", "The text holds NUL, as UTF-16 and binary data do. Send UTF-8.")
    return {"text": text, "type": media_type}


def read_content(data: bytes, media_type: str) -> dict[str, Json]:
    """What can be said of content: its `type`, `size` in bytes and `sha256`."""
    return {"type": media_type, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.TEXT_MALFORMED, "the text cannot be read without doubt", Fault("body", at, problem))
