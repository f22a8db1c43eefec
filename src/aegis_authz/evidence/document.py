"""Records as JSON objects: written in one shape, and read strictly in every shape that was ever written.

Each kind of record counts its own versions. A version is never changed once records of it were written: another
member, or another meaning of one, is another version, and what read the old ones stays. docs/records.md tells every
member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    DECISION_VERSION,
    ApprovalRecord,
    CutRecord,
    DecisionRecord,
    KeyRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    RefusalsRecord,
    SealRecord,
    UsageRecord,
)
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.narrowing import integer, items, mapping, number, text
from aegis_authz.evidence.approval_document import APPROVAL, approval_from_json, approval_to_json
from aegis_authz.evidence.decision_document import (
    DECISION,
    FLAT_DECISION,
    FOURTH_DECISION,
    SECOND_DECISION,
    THIRD_DECISION,
    decision_from_json,
    decision_to_json,
    flat_decision_from_json,
    fourth_decision_from_json,
    second_decision_from_json,
    third_decision_from_json,
)
from aegis_authz.evidence.outcome_document import (
    OUTCOME,
    USAGE,
    outcome_from_json,
    outcome_to_json,
    usage_from_json,
    usage_to_json,
)


class RecordInvalid(ValueError):
    """The JSON is no record that this version knows; the message says why and is fit to show."""


def record_to_json(record: Record) -> dict[str, Json]:
    """The record's members in their fixed order. Raises ValueError for a record that its version cannot hold."""
    if isinstance(record, DecisionRecord):
        return decision_to_json(record)
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
    if isinstance(record, ApprovalRecord):
        return approval_to_json(record)
    if isinstance(record, OutcomeRecord):
        return outcome_to_json(record)
    if isinstance(record, KeyRecord):
        return {
            "v": 1,
            "kind": "key",
            "decision_id": "",
            "time": record.time,
            "key_id": record.key_id,
            "note": record.note,
        }
    if isinstance(record, UsageRecord):
        return usage_to_json(record)
    if isinstance(record, SealRecord):
        return _seal_to_json(record)
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
        reason=_reason(data["reason"]),
        count=integer(data["count"], "count"),
        first_time=Epoch(number(data["first_time"], "first_time")),
        last_time=Epoch(number(data["last_time"], "last_time")),
        decision_ids=_texts(data["decision_ids"], "decision_ids"),
        sources=_texts(data["sources"], "sources"),
    )


def _reason(data: Json) -> Reason:
    try:
        return Reason(data)
    except ValueError:
        raise ValueError("reason is an unknown word") from None


def _texts(data: Json, name: str) -> tuple[str, ...]:
    return tuple(text(item, name) for item in items(data, name))


def _cut_from_json(data: Mapping[str, Json]) -> CutRecord:
    if data["decision_id"] != "":
        raise ValueError("decision_id is not empty")
    return CutRecord(number(data["time"], "time"), integer(data["bytes"], "bytes"), text(data["kept_in"], "kept_in"))


def _key_from_json(data: Mapping[str, Json]) -> KeyRecord:
    if data["decision_id"] != "":
        raise ValueError("decision_id is not empty")
    return KeyRecord(number(data["time"], "time"), text(data["key_id"], "key_id"), text(data["note"], "note"))


def _seal_to_json(record: SealRecord) -> dict[str, Json]:
    return {
        "v": 1,
        "kind": "seal",
        "decision_id": "",
        "time": record.time,
        "segment": record.segment,
        "first": record.first,
        "last": record.last,
        "digest": record.digest,
        "signature": record.signature,
    }


def _seal_from_json(data: Mapping[str, Json]) -> SealRecord:
    if data["decision_id"] != "":
        raise ValueError("decision_id is not empty")
    return SealRecord(
        time=number(data["time"], "time"),
        segment=integer(data["segment"], "segment"),
        first=integer(data["first"], "first"),
        last=integer(data["last"], "last"),
        digest=text(data["digest"], "digest"),
        signature=text(data["signature"], "signature"),
    )


_REDACTION = frozenset(("v", "kind", "decision_id", "time", "target", "counts", "outcome"))
_CUT = frozenset(("v", "kind", "decision_id", "time", "bytes", "kept_in"))
_KEY = frozenset(("v", "kind", "decision_id", "time", "key_id", "note"))
_SEAL = frozenset(("v", "kind", "decision_id", "time", "segment", "first", "last", "digest", "signature"))
_REFUSALS = _CUT - {"bytes", "kept_in"} | {"reason", "count", "first_time", "last_time", "decision_ids", "sources"}

_READERS: Mapping[str, Mapping[int, tuple[frozenset[str], Callable[[Mapping[str, Json]], Record]]]] = {
    "decision": {
        1: (FLAT_DECISION, flat_decision_from_json),
        2: (SECOND_DECISION, second_decision_from_json),
        3: (THIRD_DECISION, third_decision_from_json),
        4: (FOURTH_DECISION, fourth_decision_from_json),
        DECISION_VERSION: (DECISION, decision_from_json),
    },
    "approval": {1: (APPROVAL, approval_from_json)},
    "outcome": {1: (OUTCOME, outcome_from_json)},
    "usage": {1: (USAGE, usage_from_json)},
    "redaction": {1: (_REDACTION, _redaction_from_json)},
    "cut": {1: (_CUT, _cut_from_json)},
    "key": {1: (_KEY, _key_from_json)},
    "seal": {1: (_SEAL, _seal_from_json)},
    "refusals": {1: (_REFUSALS, _refusals_from_json)},
}
