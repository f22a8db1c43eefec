"""The records: one wide event per call, written on every path, and one per redaction done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason

RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What is kept of a call. Unknown parts are empty strings, never missing.

    `time` is seconds since the epoch at arrival; `stages` maps a stage to the milliseconds it
    took; `parameters` holds only what the catalogue declares one by one, and never a redacted call's.
    `would` is "" or the effect a shadow policy would have had.
    """

    decision_id: str
    time: float
    effect: Effect
    reason: Reason
    detail: str
    org: str
    tenant: str
    agent: str
    actors: tuple[str, ...]
    issuer: str
    key_id: str
    jti: str
    tool: str
    action: str
    parameters: Mapping[str, Json]
    digest: str
    method: str
    host: str
    path: str
    source: str
    policies: tuple[str, ...]
    revision: str
    obligations: tuple[str, ...]
    findings: tuple[str, ...]
    would: str
    approval_id: str
    request_id: str
    trace_id: str
    stages: Mapping[str, float]
    total_ms: float

    def as_json(self) -> dict[str, Json]:
        """The record's members in their fixed order, as JSON values."""
        return {
            "v": RECORD_VERSION,
            "kind": "decision",
            "decision_id": self.decision_id,
            "time": self.time,
            "effect": self.effect.value,
            "reason": self.reason.value,
            "detail": self.detail,
            "org": self.org,
            "tenant": self.tenant,
            "agent": self.agent,
            "actors": list(self.actors),
            "issuer": self.issuer,
            "key_id": self.key_id,
            "jti": self.jti,
            "tool": self.tool,
            "action": self.action,
            "parameters": dict(self.parameters),
            "digest": self.digest,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "source": self.source,
            "policies": list(self.policies),
            "revision": self.revision,
            "obligations": list(self.obligations),
            "findings": list(self.findings),
            "would": self.would,
            "approval_id": self.approval_id,
            "request_id": self.request_id,
            "trace_id": self.trace_id,
            "stages": dict(self.stages),
            "total_ms": self.total_ms,
        }


@dataclass(frozen=True, slots=True)
class RedactionRecord:
    """What was redacted for a decision, counted and never stored.

    `counts` maps a detector or JSON pointer to how often it matched; `outcome` is "done" or why the
    body was cut off.
    """

    decision_id: str
    time: float
    target: str
    counts: Mapping[str, int]
    outcome: str

    def as_json(self) -> dict[str, Json]:
        """The record's members in their fixed order, as JSON values."""
        return {
            "v": RECORD_VERSION,
            "kind": "redaction",
            "decision_id": self.decision_id,
            "time": self.time,
            "target": self.target,
            "counts": dict(self.counts),
            "outcome": self.outcome,
        }


Record = DecisionRecord | RedactionRecord
