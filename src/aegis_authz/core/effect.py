"""The four answers, in order of strictness."""

from __future__ import annotations

from enum import Enum
from functools import total_ordering


@total_ordering
class Effect(Enum):
    """What happens to a call. Strictness: ALLOW < SANITIZE < APPROVAL_NEEDED < DENY."""

    ALLOW = "allow"
    SANITIZE = "sanitize"
    APPROVAL_NEEDED = "approval_needed"
    DENY = "deny"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Effect):
            return NotImplemented
        return _STRICTNESS[self] < _STRICTNESS[other]

    def __bool__(self) -> bool:
        # `if effect:` would be true for a denial; make the mistake impossible.
        raise TypeError("an Effect has no truth value; compare it with `is`")

    @property
    def lets_through(self) -> bool:
        """Whether Envoy forwards the call (whole or redacted) to the tool."""
        return self is Effect.ALLOW or self is Effect.SANITIZE


_STRICTNESS = {effect: rank for rank, effect in enumerate(Effect)}
