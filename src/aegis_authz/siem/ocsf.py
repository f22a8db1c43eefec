"""Records as events of OCSF 1.9 (schema.ocsf.io): API Activity 6003 for answers to calls, Base Event for the rest.

Profiles: security_control (what Aegis did), ai_operation (`ai_agent`), trace, and record_integrity, whose attestation
is that of the record: its fingerprint is over the record's line, which `raw_data` holds where parameters may be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, ApprovalStep, DecisionRecord, RefusalsRecord
from aegis_authz.siem.entry import Entry, Occasion
from aegis_authz.siem.event import Parameters, names_of
from aegis_authz.siem.moment import milliseconds
from aegis_authz.siem.sentence import approval_sentence, decision_sentence, refusals_sentence
from aegis_authz.siem.severity import Severity

VERSION = "1.9.0-dev"
API_ACTIVITY, _BASE_EVENT = 6003, 0
_APPLICATION, _UNCATEGORIZED = 6, 0
_OTHER = 99
_SHA_256 = 3
_SEVERITIES: Mapping[Severity, int] = MappingProxyType(
    {Severity.INFORMATIONAL: 1, Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4}
)
_ACTIONS: Mapping[Effect, tuple[int, str, int, str]] = MappingProxyType(
    {
        Effect.ALLOW: (1, "Allowed", 1, "Allowed"),
        Effect.SANITIZE: (4, "Modified", 11, "Corrected"),
        Effect.APPROVAL_NEEDED: (2, "Denied", 2, "Blocked"),
        Effect.DENY: (2, "Denied", 2, "Blocked"),
    }
)
"""`action_id` and `disposition_id` of an effect, with their captions. A held call did not run: it was denied so far."""
_PROFILES = ("security_control", "ai_operation", "trace", "record_integrity")
_SUCCESS, _FAILURE = (1, "Success"), (2, "Failure")


def ocsf_event(entry: Entry, occasion: Occasion, parameters: Parameters, version: str) -> dict[str, Json]:
    """The event; `version` is that of this software. What no attribute is made for stands in `unmapped`."""
    record = entry.record
    match record:
        case DecisionRecord():
            own = _decision(record, entry.members, parameters)
        case RefusalsRecord():
            own = _refusals(record)
        case ApprovalRecord():
            own = _approval(record)
        case _:
            own = _base(entry)
    common: dict[str, Json] = {
        "time": milliseconds(record.time),
        "severity_id": _SEVERITIES[occasion.severity],
        "severity": occasion.severity.value.capitalize(),
        "is_alert": occasion.severity.is_alert,
        "metadata": _metadata(entry, version),
        "attestation_list": [_attestation(entry)],
    }
    if parameters is Parameters.CLEAR:
        common |= {"raw_data": entry.text, "raw_data_size": len(entry.text.encode())}
    return common | own


def _metadata(entry: Entry, version: str) -> dict[str, Json]:
    record = entry.record
    members: dict[str, Json] = {
        "version": VERSION,
        "product": {"name": "Aegis", "vendor_name": "Aegis", "feature": {"name": "authorizer"}, "version": version},
        "profiles": list(_PROFILES),
        "uid": entry.id,
        "sequence": entry.link.seq,
        "log_name": entry.link.writer,
        "event_code": entry.kind,
        "original_time": str(record.time),
    }
    if isinstance(record, RefusalsRecord):
        return members
    if decision_id := str(entry.members["decision_id"]):
        members["correlation_uid"] = decision_id
    if isinstance(record, DecisionRecord) and record.identity is not None:
        members["tenant_uid"] = record.identity.scope.tenant_path
    if isinstance(record, ApprovalRecord):
        members["tenant_uid"] = record.scope.tenant_path
    return members


def _attestation(entry: Entry) -> dict[str, Json]:
    """The record's place in the chain. The first record of a log has no event before it."""
    attestation: dict[str, Json] = {
        "uid": entry.id,
        "chain_uid": entry.link.writer,
        "fingerprint": _fingerprint(entry.link.stated),
    }
    if entry.link.seq > 1:
        before = f"{entry.link.writer}:{entry.link.seq - 1}:{entry.link.prev.hex()[:8]}"
        attestation["prev_event"] = {"uid": before, "fingerprint": _fingerprint(entry.link.prev)}
    return attestation


def _fingerprint(digest: bytes) -> dict[str, Json]:
    return {
        "algorithm_id": _SHA_256,
        "algorithm": "SHA-256",
        "encoding_id": 1,
        "encoding": "Hex",
        "serialization_id": _OTHER,
        "serialization": "aegis-record-v1",
        "value": digest.hex(),
    }


def _class(class_uid: int, category_uid: int) -> dict[str, Json]:
    return {
        "class_uid": class_uid,
        "class_name": "API Activity" if class_uid else "Base Event",
        "category_uid": category_uid,
        "category_name": "Application Activity" if category_uid else "Uncategorized",
        "activity_id": _OTHER,
        "type_uid": class_uid * 100 + _OTHER,
    }


def _decision(record: DecisionRecord, members: Mapping[str, Json], parameters: Parameters) -> dict[str, Json]:
    action_id, action, disposition_id, disposition = _ACTIONS[record.effect]
    status_id, status = _SUCCESS if record.effect.lets_through else _FAILURE
    event = _class(API_ACTIVITY, _APPLICATION) | {
        "activity_name": record.rpc_method or record.method or "call",
        "message": decision_sentence(record),
        "action_id": action_id,
        "action": action,
        "disposition_id": disposition_id,
        "disposition": disposition,
        "status_id": status_id,
        "status": status,
        "status_code": record.reason.value,
        "status_detail": record.detail or record.reason.value,
        "actor": _actor(record),
        "api": _api(record, parameters),
        "src_endpoint": _endpoint(record.source),
        "resources": [{"name": record.tool or record.host or "unclaimed", "type": "tool", "role_id": 1}],
        "unmapped": _unmapped(members),
    }
    if record.policies:
        event["policy"] = {"name": record.policies[0], "version": record.revision, "is_applied": True}
        event["authorizations"] = [
            {"decision": record.effect.value, "policy": {"name": name, "version": record.revision, "is_applied": True}}
            for name in record.policies
        ]
    if record.identity is not None:
        event["ai_agent"] = _agent(record)
    if record.host:
        event["dst_endpoint"] = {"hostname": record.host} | ({} if record.port is None else {"port": record.port})
    if record.method:
        event["http_request"] = _http_request(record)
    if record.trace_id:
        event["trace"] = {"uid": record.trace_id}
    return event


def _actor(record: DecisionRecord) -> dict[str, Json]:
    identity = record.identity
    if identity is None:
        return {"app_name": "unknown agent"}
    actor: dict[str, Json] = {
        "user": {"uid": str(identity.scope), "name": identity.scope.agent, "type_id": 4, "type": "Service"},
        "app_name": identity.scope.agent,
        "session": {"uid": identity.session or identity.jti, "issuer": identity.issuer},
    }
    if identity.on_behalf_of:
        actor["invoked_by"] = identity.on_behalf_of
    return actor


def _agent(record: DecisionRecord) -> dict[str, Json]:
    identity = record.identity
    if identity is None:
        return {}
    agent: dict[str, Json] = {"uid": str(identity.scope), "name": identity.scope.agent, "type_id": 0}
    if identity.session:
        agent["instance_uid"] = identity.session
    return agent


def _api(record: DecisionRecord, parameters: Parameters) -> dict[str, Json]:
    request: dict[str, Json] = {"uid": record.request_id or record.decision_id}
    if parameters is Parameters.CLEAR:
        request["data"] = record.parameters
    elif names := names_of(record, parameters):
        request["data"] = {"names": names}
    return {
        "operation": record.action or record.rpc_method or record.method or "unknown",
        "service": {"name": record.tool or record.host or "unclaimed"},
        "request": request,
        "response": {"code": 0 if record.effect.lets_through else 1, "message": record.reason.value},
    }


def _endpoint(source: str) -> dict[str, Json]:
    try:
        return {"ip": str(ip_address(source))}
    except ValueError:
        return {"name": source or "unknown"}


def _http_request(record: DecisionRecord) -> dict[str, Json]:
    url: dict[str, Json] = {"path": record.path or "/"}
    if record.host:
        url["hostname"] = record.host
    if record.scheme:
        url["scheme"] = record.scheme
    if record.port is not None:
        url["port"] = record.port
    request: dict[str, Json] = {"http_method": record.method, "url": url}
    if record.request_id:
        request["uid"] = record.request_id
    return request


def _unmapped(members: Mapping[str, Json]) -> dict[str, Json]:
    """What OCSF has no attribute for: the chain of delegation, limits, obligations, stages."""
    names = ("effect", "would", "actors", "way", "grant", "findings", "obligations", "charges", "cost", "stages")
    more = ("approval_id", "approved_by", "quarantined_until", "mcp_session", "environment", "digest", "withheld")
    return {f"aegis_{name}": members[name] for name in (*names, *more) if members.get(name) not in (None, "", [], 0)}


def _refusals(record: RefusalsRecord) -> dict[str, Json]:
    start, end = milliseconds(record.first_time), milliseconds(record.last_time)
    action_id, action, disposition_id, disposition = _ACTIONS[Effect.DENY]
    return _class(API_ACTIVITY, _APPLICATION) | {
        "activity_name": "refusals",
        "message": refusals_sentence(record),
        "count": record.count,
        "start_time": start,
        "end_time": end,
        "duration": max(0, end - start),
        "action_id": action_id,
        "action": action,
        "disposition_id": disposition_id,
        "disposition": disposition,
        "status_id": _FAILURE[0],
        "status": _FAILURE[1],
        "status_code": record.reason.value,
        "actor": {"app_name": "unknown agent"},
        "api": {"operation": "unknown"},
        "src_endpoint": _endpoint(next(iter(record.sources), "")),
        "unmapped": {"aegis_sources": list(record.sources), "aegis_decision_ids": list(record.decision_ids)},
    }


def _approval(record: ApprovalRecord) -> dict[str, Json]:
    is_through = record.step is ApprovalStep.APPROVED
    action_id, action, disposition_id, _ = _ACTIONS[Effect.ALLOW if is_through else Effect.DENY]
    person: dict[str, Json] = {"user": {"name": record.by, "type_id": 1, "type": "User"}}
    return _class(API_ACTIVITY, _APPLICATION) | {
        "activity_name": f"approval {record.step.value}",
        "message": approval_sentence(record),
        "action_id": action_id,
        "action": action,
        "disposition_id": 8 if is_through else disposition_id,
        "disposition": "Approved" if is_through else "Blocked",
        "status_id": _SUCCESS[0],
        "status": _SUCCESS[1],
        "status_code": record.step.value,
        "status_detail": record.note or record.step.value,
        "actor": person if record.by else {"app_name": "aegis"},
        "ai_agent": {"uid": str(record.scope), "name": record.scope.agent, "type_id": 0},
        "api": {
            "operation": f"approval.{record.step.value}",
            "service": {"name": "aegis control"},
            "request": {"uid": record.approval_id},
        },
        "src_endpoint": {"name": "control plane"},
        "resources": [{"name": record.tool or "unclaimed", "type": "tool", "role_id": 1}],
        "unmapped": {"aegis_call_digest": record.digest, "aegis_action": record.action},
    }


def _base(entry: Entry) -> dict[str, Json]:
    return _class(_BASE_EVENT, _UNCATEGORIZED) | {
        "activity_name": entry.kind,
        "message": f"record of kind {entry.kind}",
        "unmapped": {f"aegis_{name}": value for name, value in entry.members.items() if name not in ("v", "time")},
    }
