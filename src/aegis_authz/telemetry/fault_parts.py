"""Denials that are nobody's decision: which part failed when a call was refused for a fault of ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.reason import Reason

OPA, REDIS, RECORDS, BUNDLE = "opa", "redis", "records", "bundle"
PROXY, LOAD, WORKER, IDENTITY = "proxy", "load", "worker", "identity"

FAULT_PARTS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.PDP_UNAVAILABLE: OPA,
        Reason.PDP_TIMEOUT: OPA,
        Reason.DECISION_UNDEFINED: OPA,
        Reason.DECISION_MALFORMED: OPA,
        Reason.REVISION_CHANGED: BUNDLE,
        Reason.NOT_READY: BUNDLE,
        Reason.LIMIT_UNKNOWN: BUNDLE,
        Reason.OBLIGATION_UNKNOWN: BUNDLE,
        Reason.ROUTE_MISMATCH: PROXY,
        Reason.STORE_RESET: REDIS,
        Reason.STORE_UNAVAILABLE: REDIS,
        Reason.STORE_TIMEOUT: REDIS,
        Reason.STORE_READONLY: REDIS,
        Reason.STORE_LOADING: REDIS,
        Reason.STORE_FULL: REDIS,
        Reason.STORE_MOVING: REDIS,
        Reason.LIMIT_LOST: REDIS,
        Reason.RECORD_FAILED: RECORDS,
        Reason.OVERLOADED: LOAD,
        Reason.DEADLINE_EXCEEDED: WORKER,
        Reason.OBLIGATION_UNMET: WORKER,
        Reason.INTERNAL_FAULT: WORKER,
        Reason.WORKLOAD_UNAVAILABLE: IDENTITY,
    }
)
"""The part at fault, by reason. A reason that is not here is a decision, and spends no error budget."""
