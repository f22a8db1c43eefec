"""Records of decisions as JSON objects, in each version that was ever written (docs/records.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Obligation
from aegis_authz.core.effect import Effect
from aegis_authz.core.grant import Grant
from aegis_authz.core.identity import Identity, Proof, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    DECISION_VERSION,
    DecisionRecord,
    FindingName,
    FlatObligation,
    SealedParameters,
    WholePath,
)
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Digest, Epoch, Jti, Seconds
from aegis_authz.encoding.narrowing import integer, items, mapping, number, text
from aegis_authz.encoding.narrowing import members as exact_members
from aegis_authz.evidence.charge_document import charge_from_json, charge_to_json
from aegis_authz.wire.grant import narrowing_from_data, narrowing_to_data
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
"""What records of decisions did not hold in version 1, beside what those of version 2 did not."""

_NOT_IN_VERSION_2: Mapping[str, Json] = {
    "way": "",
    "proof": None,
    "session": "",
    "grant": "",
    "approved_by": "",
    "mcp_session": "",
}
"""What records of decisions did not hold in version 2, and what stands for it when one is read."""

_NOT_IN_VERSION_3: Mapping[str, Json] = {"charges": [], "quarantined_until": 0, "cost": None}
"""What records of decisions did not hold in version 3, and what stands for it when one is read."""

_NOT_IN_VERSION_4: Mapping[str, Json] = {"sealed": None}
"""What records of decisions did not hold in version 4, and what stands for it when one is read."""

_WORD = TypeVar("_WORD", bound=Enum)


def decision_to_json(record: DecisionRecord) -> dict[str, Json]:
    """The members in their fixed order. Raises ValueError for a record that its version cannot hold."""
    if record.version == 1:
        return _flat_decision_to_json(record)
    whole = _newest_decision_to_json(record)
    if record.version == DECISION_VERSION:
        return whole
    former = (_NOT_IN_VERSION_2, _NOT_IN_VERSION_3, _NOT_IN_VERSION_4)[record.version - 2 :]
    for name in (name for members in former for name in members):
        del whole[name]
    return whole


def _newest_decision_to_json(record: DecisionRecord) -> dict[str, Json]:
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
        "way": identity.way.value if identity else "",
        "proof": _proof_to_json(identity.proof) if identity and identity.proof else None,
        "session": identity.session if identity else "",
        "grant": _grant_to_json(identity.grant) if identity and identity.grant else "",
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
        "sealed": None if record.sealed is None else {"key_id": record.sealed.key_id, "box": record.sealed.box},
        "source": record.source,
        "environment": record.environment,
        "policies": list(record.policies),
        "revision": record.revision,
        "obligations": obligations_to_data(_whole(record)) if record.obligations else [],
        "findings": list(map(_finding_to_json, record.findings)),
        "would": record.would,
        "approval_id": record.approval_id,
        "approved_by": record.approved_by,
        "charges": [*map(charge_to_json, record.charges)],
        "quarantined_until": record.quarantined_until,
        "cost": None if record.cost is None else _cost_to_json(record.cost),
        "mcp_session": record.mcp_session,
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "stages": record.stages,
        "total_ms": record.total_ms,
    }


def _proof_to_json(proof: Proof) -> Json:
    return {"key_id": proof.key_id, "jti": proof.jti, "issued_at": proof.issued_at, "life": proof.life}


def _grant_to_json(grant: Grant) -> Json:
    return {"digest": grant.digest, "chain": [*map(narrowing_to_data, grant.chain)]}


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
    bare = _newest_decision_to_json(replace(record, version=DECISION_VERSION, obligations=(), findings=()))
    for name in (*_NOT_IN_VERSION_1, *_NOT_IN_VERSION_2, *_NOT_IN_VERSION_3, *_NOT_IN_VERSION_4):
        del bare[name]
    findings = [f"{finding.parameter}:{finding.condition}" for finding in record.findings]
    return {**bare, "v": 1, "obligations": flat, "findings": findings}


def decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    """Read a record of the newest version. Raises ValueError or Refused for members of another shape."""
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
        sealed=None if data["sealed"] is None else _sealed(data["sealed"]),
        policies=_texts(data["policies"], "policies"),
        obligations=obligations_from_data(data["obligations"]),
        findings=tuple(_finding(finding) for finding in items(data["findings"], "findings")),
        would=_word(Effect, would, "would").value if would else "",
        charges=tuple(charge_from_json(charge) for charge in items(data["charges"], "charges")),
        quarantined_until=number(data["quarantined_until"], "quarantined_until"),
        cost=None if data["cost"] is None else _cost(data["cost"]),
        stages={name: number(took, name) for name, took in mapping(data["stages"], "stages").items()},
        total_ms=number(data["total_ms"], "total_ms"),
        **{name: text(data[name], name) for name in _TEXTS},
    )


def _identity(data: Mapping[str, Json]) -> Identity | None:
    if data["issued_at"] is None:
        others = ("actors", "expires_at", "way", "proof", "grant")
        names = [name for name in (*_SCOPE, *_IDENTITY_TEXTS, *others) if data[name]]
        if names:
            raise ValueError(f"{names[0]} of nobody")
        return None
    return Identity(
        scope=Scope(*(text(data[name], name) for name in _SCOPE)),
        issued_at=Epoch(number(data["issued_at"], "issued_at")),
        expires_at=Epoch(number(data["expires_at"], "expires_at")),
        actors=_texts(data["actors"], "actors"),
        jti=Jti(text(data["jti"], "jti")),
        way=_word(Way, data["way"], "way"),
        proof=None if data["proof"] is None else _proof(data["proof"]),
        grant=_grant(data["grant"]) if data["grant"] != "" else None,
        **{name: text(data[name], name) for name in _IDENTITY_TEXTS if name != "jti"},
    )


def _proof(data: Json) -> Proof:
    members = exact_members(data, {"key_id", "jti", "issued_at", "life"}, "proof")
    return Proof(
        jti=Jti(text(members["jti"], "jti")),
        key_id=text(members["key_id"], "key_id"),
        issued_at=Epoch(number(members["issued_at"], "issued_at")),
        life=Seconds(number(members["life"], "life")),
    )


def _grant(data: Json) -> Grant:
    members = exact_members(data, {"digest", "chain"}, "grant")
    chain = tuple(map(narrowing_from_data, items(members["chain"], "the chain of the grant")))
    return Grant(Digest(text(members["digest"], "the digest of the grant")), chain)


def _cost_to_json(cost: Money) -> Json:
    return {"micros": cost.micros, "currency": cost.currency}


def _cost(data: Json) -> Money:
    members = exact_members(data, {"micros", "currency"}, "cost")
    return Money(integer(members["micros"], "micros"), text(members["currency"], "currency"))


def fourth_decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    """Read a record of version 4: nothing was sealed."""
    return replace(decision_from_json({**data, **_NOT_IN_VERSION_4}), version=4)


def third_decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    """Read a record of version 3: there were no limits."""
    return replace(fourth_decision_from_json({**data, **_NOT_IN_VERSION_3}), version=3)


def second_decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    """Read a record of version 2: every agent had a token that was good once."""
    way = "" if data["issued_at"] is None else Way.TOKEN.value
    return replace(third_decision_from_json({**data, **_NOT_IN_VERSION_2, "way": way}), version=2)


def flat_decision_from_json(data: Mapping[str, Json]) -> DecisionRecord:
    """Read a record of version 1, which told obligations and findings as texts."""
    filled = {**data, **_NOT_IN_VERSION_1, "withheld": 0, "obligations": [], "findings": []}
    if data["agent"]:
        filled |= {"issued_at": 0, "expires_at": 0}
    whole = second_decision_from_json(filled)
    return replace(
        whole,
        version=1,
        withheld=None,
        obligations=tuple(map(FlatObligation, _texts(data["obligations"], "obligations"))),
        findings=tuple(map(_flat_finding, _texts(data["findings"], "findings"))),
    )


def _whole_path(data: Json) -> WholePath:
    members = exact_members(data, {"length", "sha256"}, "whole_path")
    return WholePath(integer(members["length"], "length"), text(members["sha256"], "sha256"))


def _sealed(data: Json) -> SealedParameters:
    members = exact_members(data, {"key_id", "box"}, "sealed")
    return SealedParameters(text(members["key_id"], "key_id"), text(members["box"], "box"))


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
_IDENTITY_TEXTS = ("on_behalf_of", "issuer", "key_id", "jti", "session")
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
    "approved_by",
    "mcp_session",
    "request_id",
    "trace_id",
)
FLAT_DECISION = frozenset(
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
SECOND_DECISION = FLAT_DECISION.union(_NOT_IN_VERSION_1)
THIRD_DECISION = SECOND_DECISION.union(_NOT_IN_VERSION_2)
FOURTH_DECISION = THIRD_DECISION.union(_NOT_IN_VERSION_3)
DECISION = FOURTH_DECISION.union(_NOT_IN_VERSION_4)
"""The names of the members, by version."""
