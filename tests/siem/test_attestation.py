from __future__ import annotations

import base64
import json
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.record import ApprovalStep, OutcomeRecord
from aegis_authz.evidence.chain import encode_record, link
from aegis_authz.siem.attestation import signed_envelope, statement
from tests.support.made_records import DENIED, approval_step

HELD = replace(DENIED, approval_id="apr_1", approved_by="ann", quarantined_until=DENIED.time + 60)


def predicate(**changes: object) -> dict[str, object]:
    decision = replace(HELD, **changes)  # type: ignore[arg-type]  # fields of a record
    line, _ = link("authz-0", 7, bytes(32), encode_record(decision))
    steps = (approval_step(HELD, ApprovalStep.APPROVED, 30.0, "ann", "as agreed"),)
    outcome = OutcomeRecord(HELD.decision_id, HELD.time + 1, 201, "", (), True, 1, 1, 1.0, 2.0, None)
    content = statement(line, decision, (*steps, outcome))["predicate"]
    assert isinstance(content, dict)
    return dict(content)


def test_who_approved_and_what_became_of_it_are_attested_and_no_note() -> None:
    made = predicate()
    assert made["remediation"] == {
        "approvedBy": "ann",
        "approvalSteps": [{"step": "approved", "by": "ann", "time": made["remediation"]["approvalSteps"][0]["time"]}],  # type: ignore[index]
        "quarantinedUntil": made["remediation"]["quarantinedUntil"],  # type: ignore[index]
    }
    assert made["outcomes"] == [{"time": made["outcomes"][0]["time"], "status": 201, "reachedTool": True}]  # type: ignore[index]
    assert "as agreed" not in str(made)
    assert made["record"]["seq"] == 7  # type: ignore[index]


def test_a_call_of_nobody_names_no_agent() -> None:
    made = predicate(identity=None)
    assert (made["agent"], made["delegatedSubject"]) == (None, None)


def test_half_of_a_surrogate_pair_in_a_record_is_attested_as_any_other_text() -> None:
    decision = replace(HELD, tool="stripe\ud800é")
    line, _ = link("authz-0", 7, bytes(32), encode_record(decision))
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    payload = base64.b64decode(json.loads(signed_envelope(statement(line, decision, ()), key))["payload"])
    assert json.loads(payload)["predicate"]["resource"]["tool"] == "stripe\ud800é"
