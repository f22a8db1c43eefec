"""The one exception by which a stage ends a call."""

from __future__ import annotations

from aegis_authz.core.reason import Reason


class Refused(Exception):
    """A stage refuses the call.

    `reason` goes to the caller through the reason table; `detail` goes to the record only and
    must hold no secret and no parameter value.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
