"""A decision as an attestation that others can verify: an in-toto statement in a DSSE envelope.

Source: in-toto Attestation Framework, Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1); DSSE v1
(https://github.com/secure-systems-lab/dsse). The predicate's members agent, delegatedSubject, resource, action with
decision, time with correlation, risk, and remediation are what draft-klrc-aiagent-auth, section 11, has an audit event
record at least.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, DecisionRecord, OutcomeRecord, Record
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import read_link
from aegis_authz.siem.moment import iso_time

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:aegis:predicate:decision:v1"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


def statement(line: bytes, decision: DecisionRecord, others: Sequence[Record]) -> dict[str, Json]:
    """What is attested of a decision: its subject is the line of the record, with its newline, by SHA-256.

    `others` are the further records of the decision: steps of its approval, and outcomes. Raises NotARecord.
    """
    link = read_link(line)
    digest: dict[str, Json] = {"sha256": hashlib.sha256(line).hexdigest()}
    return {
        "_type": _STATEMENT_TYPE,
        "subject": [{"name": f"{link.writer}/{link.seq}", "digest": digest}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            **_who_and_what(decision),
            "time": iso_time(decision.time),
            "correlation": _correlation(decision),
            "risk": _risk(decision),
            "remediation": _remediation(decision, others),
            "outcomes": [_outcome(record) for record in others if isinstance(record, OutcomeRecord)],
            "record": {"writer": link.writer, "seq": link.seq, "hash": link.stated.hex()},
        },
    }


def signed_envelope(content: Mapping[str, Json], key: Ed25519PrivateKey) -> bytes:
    """The statement in its envelope: one line of JSON, signed with the key of records."""
    payload = json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")
    kind = PAYLOAD_TYPE.encode("ascii")
    signature = key.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": thumbprint(key.public_key().public_bytes_raw()),
                "sig": base64.b64encode(signature).decode("ascii"),
            }
        ],
    }
    return json.dumps(envelope, separators=(",", ":")).encode("ascii") + b"\n"


def _who_and_what(decision: DecisionRecord) -> dict[str, Json]:
    identity = decision.identity
    return {
        "agent": None if identity is None else str(identity.scope),
        "delegatedSubject": None
        if identity is None or not (identity.on_behalf_of or identity.actors)
        else {"onBehalfOf": identity.on_behalf_of, "actors": list(identity.actors)},
        "resource": {"tool": decision.tool, "host": decision.host},
        "action": decision.action,
        "decision": {"effect": decision.effect.value, "reason": decision.reason.value},
    }


def _correlation(decision: DecisionRecord) -> Json:
    return {
        "decisionId": decision.decision_id,
        "approvalId": decision.approval_id,
        "requestId": decision.request_id,
        "traceId": decision.trace_id,
        "callDigest": decision.digest,
    }


def _risk(decision: DecisionRecord) -> Json:
    return {
        "policies": list(decision.policies),
        "revision": decision.revision,
        "environment": decision.environment,
        "findings": [{"parameter": each.parameter, "condition": each.condition} for each in decision.findings],
        "limitsExceeded": [each.name for each in decision.charges if each.excess != "within"],
        "shadowEffect": decision.would,
    }


def _remediation(decision: DecisionRecord, others: Sequence[Record]) -> Json:
    until = decision.quarantined_until
    steps: list[Json] = [
        {"step": record.step.value, "by": record.by, "time": iso_time(record.time)}
        for record in others
        if isinstance(record, ApprovalRecord)
    ]
    return {
        "approvedBy": decision.approved_by,
        "approvalSteps": steps,
        "quarantinedUntil": iso_time(until) if until else None,
    }


def _outcome(record: OutcomeRecord) -> Json:
    return {"time": iso_time(record.time), "status": record.status, "reachedTool": record.was_reached}
