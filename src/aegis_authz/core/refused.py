"""The one exception by which a stage ends a call."""

from __future__ import annotations

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import CALLERS_FAULTS, Reason


class Refused(Exception):
    """A stage refuses the call.

    `reason` goes to the caller through the reason table; `detail` goes to the record only and
    must hold no secret and no parameter value. `fault` goes to the caller only, and stands beside reasons that are the
    fault of the caller's text alone. Raises ValueError beside any other.
    """

    def __init__(self, reason: Reason, detail: str = "", fault: Fault | None = None) -> None:
        if fault is not None and reason not in CALLERS_FAULTS:
            raise ValueError(f"{reason.value} is not the fault of a caller's text")
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.fault = fault
