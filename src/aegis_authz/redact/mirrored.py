"""The headers in which MCP repeats parts of a message (revision 2026-07-28: Mcp-Name, Mcp-Param-*)."""

from __future__ import annotations

import base64
import binascii

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.redact.text.topics import topics_of

_ENCODED = ("=?base64?", "?=")


def redacted_mirror(name: str, values: tuple[str, ...], sanitizer: Sanitizer) -> dict[str, str]:
    """The header with its new value if that must change, else nothing.

    Raises Refused(POLICY_DENIED) for a parameter that may be one of the blanked fields, and Refused
    (AMBIGUOUS_HEADERS) for a header given several times or not readable.
    """
    if sanitizer.has_fields and name.startswith("mcp-param-"):
        raise Refused(Reason.POLICY_DENIED, "a header repeats a parameter that may have to be redacted")
    if len(values) != 1:
        raise Refused(Reason.AMBIGUOUS_HEADERS, f"{name} is given several times")
    value = values[0]
    is_encoded = value.startswith(_ENCODED[0]) and value.endswith(_ENCODED[1])
    text = _decoded(value[len(_ENCODED[0]) : -len(_ENCODED[1])]) if is_encoded else value
    redacted = sanitizer.plain(text, topics_of(name))
    if redacted == text:
        return {}
    if is_encoded:
        redacted = base64.b64encode(redacted.encode("utf-8")).decode("ascii").join(_ENCODED)
    return {name: redacted}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(Reason.AMBIGUOUS_HEADERS, "an encoded MCP header cannot be read") from None
