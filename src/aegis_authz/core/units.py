"""What a number or a text means, as types that exist for the type checker alone.

They keep the two clocks apart, and one kind of id from another. Arithmetic and string methods give plain floats and
texts back; say anew what the result is: `Epoch(now + life)`.
"""

from __future__ import annotations

from typing import NewType

Epoch = NewType("Epoch", float)
"""A moment: wall-clock seconds since 1970-01-01 00:00 UTC. Steps when the clock is set."""
Monotonic = NewType("Monotonic", float)
"""A moment: seconds of a clock that never steps, the event loop's own. The clock of deadlines."""
Seconds = NewType("Seconds", float)
"""A length of time."""

DecisionId = NewType("DecisionId", str)
"""The id of one decision (UUIDv7 text)."""
ApprovalId = NewType("ApprovalId", str)
"""The id of one approval, as its store named it."""
Jti = NewType("Jti", str)
"""The id of one token within its issuer (RFC 7519 section 4.1.7)."""
Revision = NewType("Revision", str)
"""The name of one generation of policy."""
Digest = NewType("Digest", str)
"""The SHA-256 of a call's canonical form, in lower-case hex."""
Basis = NewType("Basis", str)
"""The digest of what judges an agent's calls of a tool: the documents in scope and the tool's definition."""

LimitId = NewType("LimitId", str)
"""The id of a limit or breaker: the same as long as what it counts is the same."""
Micros = NewType("Micros", int)
"""Money: millionths of its currency's unit."""
Millis = NewType("Millis", int)
"""Whole milliseconds: a length of time, or a moment since 1970-01-01 00:00 UTC."""

NO_REVISION = Revision("")
"""No generation of policy: none was known, or none is served yet."""
