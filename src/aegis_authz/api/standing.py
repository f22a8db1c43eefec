"""How a held call stands, in words for the agent that asks and for whoever decides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.approval import ApprovalState

WORDS: Mapping[ApprovalState, str] = MappingProxyType(
    {
        ApprovalState.PENDING: (
            "Nobody has decided yet. Once it is approved, repeat the call unchanged, with a fresh token."
        ),
        ApprovalState.APPROVED: (
            "It is approved. Repeat the call unchanged, with a fresh token, before it expires: it goes through once."
        ),
        ApprovalState.DENIED: "It was denied. Do not repeat the call as it is.",
        ApprovalState.CANCELLED: "The approval was taken back. The call is held anew when it is repeated.",
        ApprovalState.EXPIRED: "Its time is over and nothing went through. The call is held anew when it is repeated.",
        ApprovalState.USED: "It was used: the call went through. The next such call needs an approval of its own.",
        ApprovalState.STALE: (
            "It is stale: a policy of this agent, or the tool, was changed after it was asked for. "
            "Repeat the call: it is judged anew, and held anew where a person must decide still."
        ),
    }
)
"""A sentence or two for each state."""
