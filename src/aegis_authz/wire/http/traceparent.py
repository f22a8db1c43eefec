"""The span that a caller names in its request, W3C Trace Context (section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_LONGEST = 512


def caller_span(values: Sequence[str]) -> str:
    """The caller's span as a `traceparent` to go on from, "" for none and for what the specification bids to ignore.

    It is always sampled: whoever calls chooses which trace its calls belong to, and not that none is made of them.
    """
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return ""
    match = _TRACEPARENT.fullmatch(values[0].strip(" \t"))
    if match is None or (match[1] == "00" and match[4]):
        return ""
    return f"00-{match[2]}-{match[3]}-01"
