"""Stage 3: HttpCall -> ToolCall, and an override held against it."""

from __future__ import annotations

from aegis_authz.core.call import HttpCall, ToolCall
from aegis_authz.core.identity import Override
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.wire.http.tool_call import read_tool_call


def parse(http: HttpCall, snapshot: Snapshot, override: Override | None) -> ToolCall:
    """Say which call of which tool this is.

    Raises what `read_tool_call` raises, and Refused(APPROVAL_MISMATCH) when an override is shown
    that was given for another call or under another revision, whatever policy would say without it.
    """
    call = read_tool_call(http, snapshot.catalogue)
    if override is not None:
        if override.digest != call.digest:
            raise Refused(Reason.APPROVAL_MISMATCH, "given for another call")
        if override.revision != snapshot.revision:
            raise Refused(Reason.APPROVAL_MISMATCH, "given under another policy revision")
    return call
