"""`aegis keys auditor`, and what is sealed shown to who has the key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.core.record import DecisionRecord
from aegis_authz.encoding.sealed_box import read_public_key
from aegis_authz.evidence.sealing import sealed_for
from tests.support.exported_records import payment
from tests.support.recorded_payments import write_log

RUNNER = CliRunner()


def run(*words: str | Path, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def auditor(tmp_path: Path) -> Path:
    """The key of an auditor, and a log of a call that is sealed for it and one of which the seal is broken."""
    key = tmp_path / "auditor.pem"
    made = json.loads(run("keys", "auditor", key, "--json"))
    plain = payment(1)
    assert isinstance(plain, DecisionRecord)
    box = sealed_for(read_public_key(made["auditor"]), plain)
    sealed = replace(plain, parameters={}, withheld=1, path="", sealed=box)
    write_log(tmp_path / "records", "w", [sealed, replace(sealed, decision_id="d-broken")])
    return key


def test_what_is_sealed_is_shown_to_who_has_the_key(auditor: Path, tmp_path: Path) -> None:
    plain = payment(1)
    assert isinstance(plain, DecisionRecord)
    (shut,) = json.loads(run("audit", "show", plain.decision_id, "--dir", tmp_path, "--json"))
    (shown,) = json.loads(run("audit", "show", plain.decision_id, "--dir", tmp_path, "--open", auditor, "--json"))
    assert (shut["record"]["parameters"], shut["record"]["path"]) == ({}, "")
    assert shown["record"]["parameters"] == plain.parameters
    assert shown["record"]["sealed"] is None


def test_a_seal_that_is_broken_is_said(auditor: Path, tmp_path: Path) -> None:
    output = run("audit", "show", "d-broken", "--dir", tmp_path, "--open", auditor, code=1)
    assert "what is sealed in the record of decision d-broken" in output


def test_a_key_is_made_once_and_is_one(auditor: Path, tmp_path: Path) -> None:
    assert auditor.stat().st_mode & 0o777 == 0o600
    assert "is there already" in run("keys", "auditor", auditor, code=2)
    other = tmp_path / "other.pem"
    assert "record: {parameters: sealed, auditor: " in run("keys", "auditor", other)
    other.write_bytes(b"no key")
    assert "not the private key of an auditor" in run("audit", "show", "x", "--dir", tmp_path, "--open", other, code=2)
    other.chmod(0o644)
    assert "lets others use this secret" in run("audit", "show", "x", "--dir", tmp_path, "--open", other, code=2)
