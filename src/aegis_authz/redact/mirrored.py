"""The headers in which MCP repeats parts of a message (revision 2026-07-28: Mcp-Name, Mcp-Param-*)."""

from __future__ import annotations

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import mcp_header
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.redact.text.topics import topics_of


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
    try:
        text = mcp_header.decode(value)
    except ValueError as fault:
        raise Refused(Reason.AMBIGUOUS_HEADERS, str(fault)) from None
    redacted = sanitizer.plain(text, topics_of(name))
    if redacted == text:
        return {}
    return {name: mcp_header.encode(redacted) if mcp_header.is_encoded(value) else redacted}
