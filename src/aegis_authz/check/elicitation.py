"""A held call of a client of MCP that can show its user a page: it is asked to, and comes back with a state of ours.

Source: Model Context Protocol 2026-07-28, "Multi Round-Trip Requests" and "Elicitation", URL mode.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from aegis_authz.check.draft import Draft, Elicitation
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.decision import Decision
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Epoch
from aegis_authz.identity.request_state import HeldState, require_state, sealed_state
from aegis_authz.ports.data_plane import SessionKeys

_META = "io.modelcontextprotocol/"
_FIRST_REVISION = "2026-07-28"


def elicitation_of(decision: Decision, draft: Draft, keys: SessionKeys) -> Elicitation | None:
    """What to ask of the client of a call that is held now.

    None where it cannot show a page, where there is none, and where it was asked before: then it is told to wait.
    Raises Refused where there are no keys.
    """
    settled, call, identity, snapshot = draft.settled, draft.call, draft.identity, draft.snapshot
    if decision.reason is not Reason.APPROVAL_NEEDED or settled is None or not settled.approval_id:
        return None
    if call is None or identity is None or snapshot is None or draft.comes_back or not snapshot.people_base:
        return None
    if call.kind is not CallKind.MCP_TOOL or draft.http is None or not _shows_pages(draft.http.body):
        return None
    state = HeldState(str(identity.scope), call.digest, settled.approval_expires_at)
    url = f"{snapshot.people_base}/approvals/{settled.approval_id}"
    return Elicitation(url, sealed_state(state, keys.session_keys()))


def require_own_state(text: str, call: ToolCall, identity: Identity, keys: SessionKeys, now: Epoch) -> None:
    """Refuse a state that was not given to this agent for this very call. Raises what `require_state` raises."""
    require_state(text, HeldState(str(identity.scope), call.digest, now), keys.session_keys(), now)


def _shows_pages(body: bytes) -> bool:
    """Whether the client says that it speaks a revision with such results, and that it shows its user pages."""
    message: Json = orjson.loads(body)  # it was parsed strictly before
    meta = _member(_member(message, "params"), "_meta")
    revision = meta.get(f"{_META}protocolVersion")
    elicitation = _member(_member(meta, f"{_META}clientCapabilities"), "elicitation")
    is_new = isinstance(revision, str) and len(revision) == len(_FIRST_REVISION) and revision >= _FIRST_REVISION
    return is_new and isinstance(elicitation.get("url"), Mapping)


def _member(node: Json, name: str) -> Mapping[str, Json]:
    value = node.get(name) if isinstance(node, Mapping) else None
    return value if isinstance(value, Mapping) else {}
