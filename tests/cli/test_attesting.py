"""`aegis audit attest`, read by libraries that are not ours: securesystemslib and in-toto's own."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from aegis_authz.encoding.jwk import thumbprint
from tests.cli.test_record_proof import run
from tests.cli.test_retention import KEY
from tests.cli.test_retention import state as state  # noqa: PLC0414  # a fixture

RAW = KEY.public_key().public_bytes_raw()
FOREIGN = SSlibKey(thumbprint(RAW), "ed25519", "ed25519", {"public": RAW.hex()})


def attested(state: Path, decision_id: str = "d-5") -> dict[str, Any]:
    result = run("attest", decision_id, "--dir", state)
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    return dict(json.loads(line))


def test_a_foreign_library_verifies_the_envelope_with_the_public_key_alone(state: Path) -> None:
    envelope = Envelope.from_dict(attested(state))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert list(envelope.verify([FOREIGN], 1)) == [thumbprint(RAW)]


def test_what_was_altered_is_not_verified(state: Path) -> None:
    content = attested(state)
    payload = json.loads(base64.b64decode(content["payload"]))
    payload["predicate"]["decision"]["effect"] = "deny"
    content["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    with pytest.raises(VerificationError):
        Envelope.from_dict(content).verify([FOREIGN], 1)


def test_in_totos_own_library_takes_the_statement_whose_subject_is_the_line_of_the_record(state: Path) -> None:
    payload = base64.b64decode(attested(state)["payload"])
    parsed = Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    (subject,) = parsed.subject
    lines = [line for path in (state / "records").glob("*/*.jsonl") for line in path.read_bytes().splitlines(True)]
    (line,) = (line for line in lines if b'"decision_id":"d-5"' in line and b'"kind":"decision"' in line)
    assert subject.digest["sha256"] == hashlib.sha256(line).hexdigest()
    assert subject.name == f"authz-0/{json.loads(line)['seq']}"
    assert parsed.predicate_type == "urn:aegis:predicate:decision:v1"
    predicate = MessageToDict(parsed.predicate)
    # the seven of draft-klrc-aiagent-auth, section 11
    assert {"agent", "delegatedSubject", "resource", "action", "decision", "time", "correlation"} <= predicate.keys()
    assert {"risk", "remediation"} <= predicate.keys()
    assert predicate["correlation"]["decisionId"] == "d-5"
    assert predicate["record"]["hash"] == json.loads(line)["hash"]


def test_parameters_are_not_in_it(state: Path) -> None:
    assert b"parameters" not in base64.b64decode(attested(state)["payload"])


def test_it_is_written_to_a_file(state: Path, tmp_path: Path) -> None:
    result = run("attest", "d-5", "--dir", state, "--out", tmp_path / "d-5.intoto.jsonl")
    assert result.stdout == f"{tmp_path / 'd-5.intoto.jsonl'}\n"
    assert json.loads((tmp_path / "d-5.intoto.jsonl").read_text())["payloadType"] == "application/vnd.in-toto+json"


def test_a_decision_that_is_not_there_and_a_log_that_is_not_intact_are_refused(state: Path) -> None:
    missing = run("attest", "d-none", "--dir", state)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "no decision 'd-none'" in missing.stderr
    (path, *_) = sorted((state / "records" / "authz-0").glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"seq":2,', b'"seq":9,', 1))
    altered = run("attest", "d-5", "--dir", state)
    assert (altered.exit_code, altered.stdout) == (1, "")
