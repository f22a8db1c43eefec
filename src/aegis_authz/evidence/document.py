"""Records as JSON objects: written in one shape, and read strictly in every shape that was ever written.

Each kind of record counts its own versions. A version is never changed once records of it were written: another
member, or another meaning of one, is another version, and what read the old ones stays. docs/records.md tells every
member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Obligation
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    DECISION_VERSION,
    CutRecord,
    DecisionRecord,
    FindingName,
    FlatObligation,
    Record,
    RedactionRecord,
    RefusalsRecord,
    WholePath,
)
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.encoding.narrowing import integer, items, mapping, number, text
from aegis_authz.encoding.narrowing import members as exact_members
from aegis_authz.wire.opa.obligations import obligations_from_data, obligations_to_data

_NOT_IN_VERSION_1: Mapping[str, Json] = {
    "on_behalf_of": "",
    "issued_at": None,
    "expires_at": None,
    "call_kind": "",
    "rpc_method": "",
    "withheld": None,
    "scheme": "",
    "port": None,
    "whole_path": None,
    "environment": "",
}
"""What records of decisions did not hold in version 1, and what stands for it when one is read."""

_WORD = TypeVar("_WORD", bound=Enum)


class RecordInvalid(ValueError):
    """The JSON is no record that this version knows; the message says why and is fit to show."""


def record_to_json(record: Record) -> dict[str, Json]:
    """The record's members in their fixed order. Raises ValueError for a record that its version cannot hold."""
    if isinstance(record, DecisionRecord):
        return _decision_to_json(record)
    if isinstance(record, RedactionRecord):
        return {
            "v": 1,
            "kind": "redaction",
            "decision_id": record.decision_id,
            "time": record.time,
            "target": record.target,
            "counts": record.counts,
            "outcome": record.outcome,
        }
    if isinstance(record, RefusalsRecord):
        return _refusals_to_json(record)
    return {
        "v": 1,
        "kind": "cut",
        "decision_id": "",
        "time": record.time,
        "bytes": record.size,
        "kept_in": record.kept_in,
    }


def record_from_json(data: Json) -> Record:
    """Read a record. Raises RecordInvalid for an unknown kind or version, and for anything but exactly its members."""
    if not isinstance(data, Mapping):
        raise RecordInvalid("a record is not an object")
    kind, version = data.get("kind"), data.get("v")
    if not isinstance(kind, str) or kind not in _READERS:
        raise RecordInvalid("a record of an unknown kind")
    readers = _READERS[kind]
    if isinstance(version, bool) or not isinstance(version, int) or version not in readers:
        raise RecordInvalid(f"a {kind} record of an unknown version")
    names, read = readers[version]
    if data.keys() != names:
        raise RecordInvalid(_surprise(f"a {kind} record of version {version}", set(data), names))
    try:
        return read(data)
    except ValueError as fault:
        raise RecordInvalid(f"a {kind} record of version {version}: {fault}") from None
    except Refused as refusal:  # of the reader of obligations
        raise RecordInvalid(f"a {kind} record of version {version}: {refusal.detail}") from None


def record_members(kind: str, version: int) -> frozenset[str]:
    """The names of the members of such a record. Raises KeyError for one that is not known."""
    return _READERS[kind][version][0]


def _surprise(subject: str, members: set[str], names: frozenset[str]) -> str:
    missing, unknown = sorted(names - members), sorted(members - names)
    return f"{subject} without {missing[0]}" if missing else f"{subject} with the unknown member {unknown[0]!r}"


def _decision_to_json(record: DecisionRecord) -> dict[str, Json]:
    if record.version == 1:
        return _flat_decision_to_json(record)
    identity = record.identity
    return {
        "v": record.version,
        "kind": "decision",
        "decision_id": record.decision_id,
        "time": record.time,
        "effect": record.effect.value,
        "reason": record.reason.value,
        "detail": record.detail,
        "org": identity.scope.org if identity else "",
        "tenant": identity.scope.tenant if identity else "",
        "agent": identity.scope.agent if identity else "",
        "actors": list(identity.actors) if identity else [],
        "on_behalf_of": identity.on_behalf_of if identity else "",
        "issuer": identity.issuer if identity else "",
        "key_id": identity.key_id if identity else "",
        "jti": identity.jti if identity else "",
        "issued_at": identity.issued_at if identity else None,
        "expires_at": identity.expires_at if identity else None,
        "tool": record.tool,
        "action": record.action,
        "call_kind": record.kind.value if record.kind is not None else "",
        "rpc_method": record.rpc_method,
        "parameters": record.parameters,
        "withheld": record.withheld,
        "digest": record.digest,
        "method": record.method,
        "scheme": record.scheme,
        "host": record.host,
        "port": record.port,
        "path": record.path,
        "whole_path": _whole_path_to_json(record.whole_path),
        "source": record.source,
        "environment": record.environment,
        "policies": list(record.policies),
        "revision": record.revision,
        "obligations": obligations_to_data(_whole(record)) if record.obligations else [],
        "findings": list(map(_finding_to_json, record.findings)),
        "would": record.would,
        "approval_id": record.approval_id,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "stages": record.stages,
        "total_ms": record.total_ms,
    }


def _whole_path_to_json(path: WholePath | None) -> Json:
    return None if path is None else {"length": path.length, "sha256": path.sha256}


def _finding_to_json(finding: FindingName) -> Json:
    return {"parameter": finding.parameter, "condition": finding.condition}


def _whole(record: DecisionRecord) -> list[Obligation]:
    obligations = [obligation for obligation in record.obligations if not isinstance(obligation, FlatObligation)]
    if len(obligations) != len(record.obligations):
        raise ValueError("an obligation as text belongs to version 1")
    return obligations


def _flat_decision_to_json(record: DecisionRecord) -> dict[str, Json]:
    """The shape of version 1, so that what was read is shown as it was written."""
    flat = [obligation.text for obligation in record.obligations if isinstance(obligation, FlatObligation)]
    if len(flat) != len(record.obligations):
        raise ValueError("version 1 holds obligations as texts")
    bare = _decision_to_json(replace(record, version=DECISION_VERSION, obligations=(), findings=()))
    for name in _NOT_IN_VERSION_1:
        del bare[name]
    findings = [f"{finding.parameter}:{finding.condition}" for finding in record.findings]
    return {**bare, "v": 1, "obligations": flat, "findings": findings}


def _decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    kind, would = text(data["call_kind"], "call_kind"), text(data["would"], "would")
    return DecisionRecord(
        version=DECISION_VERSION,
        time=number(data["time"], "time"),
        effect=_word(Effect, data["effect"], "effect"),
        reason=_word(Reason, data["reason"], "reason"),
        identity=_identity(data),
        kind=_word(CallKind, kind, "call_kind") if kind else None,
        parameters=mapping(data["parameters"], "parameters"),
        withheld=integer(data["withheld"], "withheld"),
        port=None if data["port"] is None else integer(data["port"], "port"),
        whole_path=None if data["whole_path"] is None else _whole_path(data["whole_path"]),
        policies=_texts(data["policies"], "policies"),
        obligations=obligations_from_data(data["obligations"]),
        findings=tuple(_finding(finding) for finding in items(data["findings"], "findings")),
        would=_word(Effect, would, "would").value if would else "",
        stages={name: number(took, name) for name, took in mapping(data["stages"], "stages").items()},
        total_ms=number(data["total_ms"], "total_ms"),
        **{name: text(data[name], name) for name in _TEXTS},
    )


def _identity(data: Mapping[str, Json]) -> Identity | None:
    if data["issued_at"] is None:
        names = [name for name in (*_SCOPE, *_IDENTITY_TEXTS, "actors", "expires_at") if data[name]]
        if names:
            raise ValueError(f"{names[0]} of nobody")
        return None
    return Identity(
        scope=Scope(*(text(data[name], name) for name in _SCOPE)),
        issued_at=Epoch(number(data["issued_at"], "issued_at")),
        expires_at=Epoch(number(data["expires_at"], "expires_at")),
        actors=_texts(data["actors"], "actors"),
        jti=Jti(text(data["jti"], "jti")),
        **{name: text(data[name], name) for name in _IDENTITY_TEXTS if name != "jti"},
    )


def _flat_decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    filled = {**data, **_NOT_IN_VERSION_1, "withheld": 0, "obligations": [], "findings": []}
    if data["agent"]:
        filled |= {"issued_at": 0, "expires_at": 0}
    whole = _decision_from_json(filled)
    return replace(
        whole,
        version=1,
        withheld=None,
        obligations=tuple(map(FlatObligation, _texts(data["obligations"], "obligations"))),
        findings=tuple(map(_flat_finding, _texts(data["findings"], "findings"))),
    )


def _redaction_from_json(data: Mapping[str, Json]) -> RedactionRecord:
    return RedactionRecord(
        decision_id=text(data["decision_id"], "decision_id"),
        time=number(data["time"], "time"),
        target=text(data["target"], "target"),
        counts={name: integer(count, name) for name, count in mapping(data["counts"], "counts").items()},
        outcome=text(data["outcome"], "outcome"),
    )


def _refusals_to_json(record: RefusalsRecord) -> dict[str, Json]:
    return {
        "v": 1,
        "kind": "refusals",
        "decision_id": "",
        "time": record.time,
        "reason": record.reason.value,
        "count": record.count,
        "first_time": record.first_time,
        "last_time": record.last_time,
        "decision_ids": list(record.decision_ids),
        "sources": list(record.sources),
    }


def _refusals_from_json(data: Mapping[str, Json]) -> RefusalsRecord:
    if data["decision_id"] != "":
        raise ValueError("decision_id is not empty")
    return RefusalsRecord(
        time=Epoch(number(data["time"], "time")),
        reason=_word(Reason, data["reason"], "reason"),
        count=integer(data["count"], "count"),
        first_time=Epoch(number(data["first_time"], "first_time")),
        last_time=Epoch(number(data["last_time"], "last_time")),
        decision_ids=_texts(data["decision_ids"], "decision_ids"),
        sources=_texts(data["sources"], "sources"),
    )


def _cut_from_json(data: Mapping[str, Json]) -> CutRecord:
    if data["decision_id"] != "":
        raise ValueError("decision_id is not empty")
    return CutRecord(number(data["time"], "time"), integer(data["bytes"], "bytes"), text(data["kept_in"], "kept_in"))


def _whole_path(data: Json) -> WholePath:
    members = exact_members(data, {"length", "sha256"}, "whole_path")
    return WholePath(integer(members["length"], "length"), text(members["sha256"], "sha256"))


def _finding(data: Json) -> FindingName:
    members = exact_members(data, {"parameter", "condition"}, "a finding")
    return FindingName(text(members["parameter"], "parameter"), text(members["condition"], "condition"))


def _flat_finding(flat: str) -> FindingName:
    parameter, colon, condition = flat.rpartition(":")  # no condition has a colon in its name
    if not colon:
        raise ValueError("a finding without its condition")
    return FindingName(parameter, condition)


def _texts(data: Json, name: str) -> tuple[str, ...]:
    return tuple(text(item, name) for item in items(data, name))


def _word(words: type[_WORD], data: Json, name: str) -> _WORD:
    try:
        return words(data)
    except ValueError:
        raise ValueError(f"{name} is an unknown word") from None


_SCOPE = ("org", "tenant", "agent")
_IDENTITY_TEXTS = ("on_behalf_of", "issuer", "key_id", "jti")
_TEXTS = (
    "decision_id",
    "detail",
    "tool",
    "action",
    "rpc_method",
    "digest",
    "method",
    "scheme",
    "host",
    "path",
    "source",
    "environment",
    "revision",
    "approval_id",
    "request_id",
    "trace_id",
)
_FLAT_DECISION = frozenset(
    [
        "v",
        "kind",
        "decision_id",
        "time",
        "effect",
        "reason",
        "detail",
        "org",
        "tenant",
        "agent",
        "actors",
        "issuer",
        "key_id",
        "jti",
        "tool",
        "action",
        "parameters",
        "digest",
        "method",
        "host",
        "path",
        "source",
        "policies",
        "revision",
        "obligations",
        "findings",
        "would",
        "approval_id",
        "request_id",
        "trace_id",
        "stages",
        "total_ms",
    ]
)
_DECISION = _FLAT_DECISION | _NOT_IN_VERSION_1.keys()
_REDACTION = frozenset(("v", "kind", "decision_id", "time", "target", "counts", "outcome"))
_CUT = frozenset(("v", "kind", "decision_id", "time", "bytes", "kept_in"))
_REFUSALS = _CUT - {"bytes", "kept_in"} | {"reason", "count", "first_time", "last_time", "decision_ids", "sources"}

_READERS: Mapping[str, Mapping[int, tuple[frozenset[str], Callable[[Mapping[str, Json]], Record]]]] = {
    "decision": {1: (_FLAT_DECISION, _flat_decision_from_json), DECISION_VERSION: (_DECISION, _decision_from_json)},
    "redaction": {1: (_REDACTION, _redaction_from_json)},
    "cut": {1: (_CUT, _cut_from_json)},
    "refusals": {1: (_REFUSALS, _refusals_from_json)},
}
