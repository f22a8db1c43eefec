"""The state that a client of MCP brings back with a held call: whose call it was and which, under a MAC.

It gives nothing: whether the call passes is decided by its approval, which is bound to the call itself. The MAC keeps
anybody from having a body changed on its way who was not asked to come back with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.base64url import encode
from aegis_authz.wire.mcp.request_state import STATE_PREFIX

_DOMAIN = b"aegis-mcp-request-state-v1"
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class HeldState:
    """What a state says: the agent, the digest of its call, and until when it is good."""

    agent: str
    digest: str
    expires_at: Epoch


def sealed_state(state: HeldState, keys: Sequence[bytes]) -> str:
    """The state as a client is given it, made with the first key."""
    until = str(int(state.expires_at))
    return f"{STATE_PREFIX}{until}.{_mac(keys[0], state.agent, state.digest, until)}"


def require_state(text: str, state: HeldState, keys: Sequence[bytes], now: Epoch) -> None:
    """Refuse a state that was not given for this very call of this agent, or whose time is over.

    `state.expires_at` is not looked at: the text says it. Raises Refused(APPROVAL_MISMATCH), Refused(APPROVAL_EXPIRED).
    """
    until, _, mac = text.removeprefix(STATE_PREFIX)[:_LONGEST].partition(".")
    fits = [hmac.compare_digest(_mac(key, state.agent, state.digest, until).encode(), mac.encode()) for key in keys]
    if not any(fits) or not (until.isascii() and until.isdigit()):
        raise Refused(Reason.APPROVAL_MISMATCH, "the state that was sent back is not of this call of this agent")
    if now >= int(until):
        raise Refused(Reason.APPROVAL_EXPIRED, "the state that was sent back is too old")


def _mac(key: bytes, agent: str, digest: str, until: str) -> str:
    own_key = hmac.digest(key, _DOMAIN, hashlib.sha256)
    return encode(hmac.digest(own_key, json.dumps([agent, digest, until]).encode(), hashlib.sha256)).decode()
