"""Records as documents of the Elastic Common Schema 9 (elastic.co/guide/en/ecs), for Elasticsearch, ELK and Datadog."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, ApprovalStep, DecisionRecord, Record, RefusalsRecord
from aegis_authz.siem.entry import Entry, Occasion
from aegis_authz.siem.event import Parameters, names_of
from aegis_authz.siem.moment import iso_time
from aegis_authz.siem.sentence import approval_sentence, decision_sentence, refusals_sentence
from aegis_authz.siem.severity import Severity

VERSION = "9.2.0"
_SEVERITIES: Mapping[Severity, int] = MappingProxyType(
    {Severity.INFORMATIONAL: 21, Severity.LOW: 47, Severity.MEDIUM: 73, Severity.HIGH: 99}
)
"""The figures that Elastic's own rules use for low to critical."""


def ecs_document(entry: Entry, occasion: Occasion, parameters: Parameters, version: str) -> dict[str, Json]:
    """The document; `version` is that of this software. What ECS has no field for stands in `aegis`."""
    record = entry.record
    kept = {name: value for name, value in entry.members.items() if name not in ("parameters", "time", "v")}
    if isinstance(record, DecisionRecord):
        kept["parameter_names"] = names_of(record, parameters)
        if parameters is Parameters.CLEAR:
            kept["parameters"] = record.parameters
    kept |= {"hour": occasion.hour, "weekday": occasion.weekday.value, "limit_mark": occasion.limit_mark}
    kept |= {"writer": entry.link.writer, "prev": entry.link.prev.hex(), "hash": entry.link.stated.hex()}
    if occasion.first_use is not None:
        kept["first_use"] = occasion.first_use
    document: dict[str, Json] = {
        "@timestamp": iso_time(record.time),
        "ecs": {"version": VERSION},
        "observer": {"vendor": "Aegis", "product": "Aegis", "type": "authorizer", "version": version},
        "event": _event(entry, occasion, entry.kind),
        "aegis": kept,
    }
    match record:
        case DecisionRecord():
            document |= _decision(record)
        case ApprovalRecord():
            document |= _approval(record)
        case RefusalsRecord():
            document |= {"message": refusals_sentence(record)}
            document |= {"source": {"address": next(iter(record.sources), "unknown")}}
        case _:
            document |= {"message": f"record of kind {entry.kind}"}
    return document


def _event(entry: Entry, occasion: Occasion, kind: str) -> dict[str, Json]:
    event: dict[str, Json] = {
        "id": entry.id,
        "kind": "alert" if occasion.severity.is_alert else "event",
        "module": "aegis",
        "dataset": f"aegis.{kind}",
        "severity": _SEVERITIES[occasion.severity],
        "sequence": entry.link.seq,
    }
    return event | _words(entry.record)


def _words(record: Record) -> dict[str, Json]:
    """`category`, `type`, `outcome`, `action`, `reason` and `duration` as far as the record says them."""
    match record:
        case DecisionRecord():
            is_through = record.effect.lets_through
            return {
                "category": ["api"],
                "type": ["access", "allowed" if is_through else "denied"],
                "outcome": "success" if is_through else "failure",
                "action": f"call-{record.effect.value}",
                "reason": record.reason.value,
                "duration": round(record.total_ms * 1_000_000),
            }
        case RefusalsRecord():
            words: dict[str, Json] = {"category": ["api"], "type": ["access", "denied"], "outcome": "failure"}
            return words | {"action": "call-deny", "reason": record.reason.value}
        case ApprovalRecord():
            kinds: list[Json] = ["change", "allowed" if record.step is ApprovalStep.APPROVED else "denied"]
            return {"category": ["iam"], "type": kinds, "outcome": "success", "action": f"approval-{record.step.value}"}
        case _:
            return {"category": ["api"], "type": ["info"], "outcome": "unknown"}


def _decision(record: DecisionRecord) -> dict[str, Json]:
    identity = record.identity
    document: dict[str, Json] = {
        "message": decision_sentence(record),
        "source": {"address": record.source or "unknown"},
    }
    if identity is not None:
        scope = identity.scope
        document["user"] = {"id": str(scope), "name": scope.agent, "domain": scope.tenant_path}
        document["organization"] = {"name": scope.org}
    if record.tool:
        document["service"] = {"target": {"name": record.tool}}
    if record.policies:
        ruleset = ",".join(record.policies)
        document["rule"] = {"name": record.policies[0], "ruleset": ruleset, "version": record.revision}
    if record.method:
        document["http"] = {"request": {"method": record.method, "id": record.request_id or record.decision_id}}
    if record.host:
        url: dict[str, Json] = {"domain": record.host, "path": record.path or "/"}
        document["url"] = url | ({"scheme": record.scheme} if record.scheme else {})
        document["destination"] = {"address": record.host} | ({} if record.port is None else {"port": record.port})
    if record.trace_id:
        document["trace"] = {"id": record.trace_id}
    return document


def _approval(record: ApprovalRecord) -> dict[str, Json]:
    document: dict[str, Json] = {"message": approval_sentence(record)}
    if record.by:
        document["user"] = {"name": record.by, "target": {"id": str(record.scope), "name": record.scope.agent}}
    return document
