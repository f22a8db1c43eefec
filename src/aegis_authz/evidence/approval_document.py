"""Decisions about held calls as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, ApprovalStep
from aegis_authz.core.scope import Scope
from aegis_authz.encoding.narrowing import items, number, text

_TEXTS = ("decision_id", "approval_id", "by", "note", "tool", "action", "digest", "basis", "revision")
_SCOPE = ("org", "tenant", "agent")
_TIMES = ("time", "requested_at", "expires_at")

APPROVAL = frozenset(("v", "kind", "step", "policies", *_TEXTS, *_SCOPE, *_TIMES))
"""The members of such a record."""


def approval_to_json(record: ApprovalRecord) -> dict[str, Json]:
    """The members in their fixed order."""
    return {
        "v": 1,
        "kind": "approval",
        "decision_id": record.decision_id,
        "time": record.time,
        "approval_id": record.approval_id,
        "step": record.step.value,
        "by": record.by,
        "note": record.note,
        "org": record.scope.org,
        "tenant": record.scope.tenant,
        "agent": record.scope.agent,
        "tool": record.tool,
        "action": record.action,
        "digest": record.digest,
        "basis": record.basis,
        "revision": record.revision,
        "policies": list(record.policies),
        "requested_at": record.requested_at,
        "expires_at": record.expires_at,
    }


def approval_from_json(data: Mapping[str, Json]) -> ApprovalRecord:
    """Read what `approval_to_json` wrote. Raises ValueError for anything else."""
    texts = {name: text(data[name], name) for name in _TEXTS}
    time, requested_at, expires_at = (number(data[name], name) for name in _TIMES)
    return ApprovalRecord(
        time=time,
        step=_step(data["step"]),
        scope=Scope(*(text(data[name], name) for name in _SCOPE)),
        policies=tuple(text(name, "policies") for name in items(data["policies"], "policies")),
        requested_at=requested_at,
        expires_at=expires_at,
        **texts,
    )


def _step(data: Json) -> ApprovalStep:
    try:
        return ApprovalStep(data)
    except ValueError:
        raise ValueError("step is an unknown word") from None
