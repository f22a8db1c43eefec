"""An approval request as JSON text, as it is kept in the store."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from aegis_authz.core.approval import ApprovalProof, ApprovalRequest
from aegis_authz.core.approval_terms import ABSENT_TERMS
from aegis_authz.core.scope import Scope

_PLAIN = tuple(field.name for field in fields(ApprovalRequest) if field.name != "scope")

_LISTS = ("policies", "groups", "confirm", "notify")

_LATER: dict[str, Any] = {
    "besides": {},
    "basis": "",
    "decision_id": "",
    "session": "",
    **{word: value for word, value in ABSENT_TERMS.items() if word in _PLAIN},
}
"""What requests of before did not have; one without a basis is stale."""


def approval_to_text(request: ApprovalRequest) -> bytes:
    """The request as canonical JSON; its scope as the members org, tenant and agent."""
    scope = request.scope
    members = {name: getattr(request, name) for name in _PLAIN} | {"proof": request.proof.value}
    members |= {"org": scope.org, "tenant": scope.tenant, "agent": scope.agent}
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def approval_from_text(text: bytes) -> ApprovalRequest:
    """Read it back. Raises ValueError when it is not such a text."""
    data: dict[str, Any] = orjson.loads(text)
    try:
        scope = Scope(data.pop("org"), data.pop("tenant"), data.pop("agent"))
        for name, absent in _LATER.items():
            data.setdefault(name, absent)
        lists = {name: tuple(data[name]) for name in _LISTS}
        return ApprovalRequest(**{**data, **lists, "scope": scope, "proof": ApprovalProof(data["proof"])})
    except (AttributeError, KeyError, TypeError) as fault:
        raise ValueError(f"not an approval request: {fault}") from None
