"""`aegis explain`: a recorded answer, or a reason, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.app import app
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from tests.support.made_records import DENIED

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
DECISION = replace(DENIED, decision_id="0190-1", path="/v1/pay\x1b[2J", detail="amount is 50000")

APPROVED = replace(
    DENIED, decision_id="0190-3", effect=Effect.ALLOW, reason=Reason.APPROVED, approval_id="apr_1", approved_by="ann"
)


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    state = tmp_path / "my mesh"
    async with FileRecordLog(state / "records" / "authz-0", "authz-0", KEY, SystemClock()) as log:
        await log.append(DECISION)
        await log.append(APPROVED)
    return state


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_a_recorded_refusal_says_what_was_asked_why_and_what_to_do(state: Path) -> None:
    text = run("0190-1", "--dir", state).stdout
    assert text.startswith(f"deny {DECISION.reason.value}\n")
    assert "amount is 50000" in text and "what to do" in text
    assert f"aegis audit show 0190-1 --dir '{state}'" in text
    assert "\x1b" not in text


def test_a_call_that_was_approved_says_by_whom(state: Path) -> None:
    assert "approval    apr_1, granted by ann" in run("0190-3", "--dir", state).stdout


def test_a_reason_alone_says_what_it_means() -> None:
    result = run("replayed")
    assert result.exit_code == 0
    assert result.stdout.startswith("REPLAYED\n") and "for each call, also for each repetition" in result.stdout


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)
def test_every_reason_can_be_explained(reason: Reason) -> None:
    said = json.loads(run(reason.value, "--json").stdout)
    assert said["reason"] == reason.value
    assert said["sentence"] and said["cause"] and said["remedy"] and said["record"] is None
    assert "](" not in said["remedy"] and "`" not in said["remedy"]


def test_as_json_the_record_is_there(state: Path) -> None:
    said = json.loads(run("0190-1", "--dir", state, "--json").stdout)
    assert said["record"]["decision_id"] == "0190-1"


def test_what_is_not_there_is_said(state: Path) -> None:
    absent, unknown = run("0190-2", "--dir", state), run("REPLAYD")
    assert (absent.exit_code, unknown.exit_code) == (1, 2)
    assert "no record of decision '0190-2'" in absent.stderr
    assert "near to it: REPLAYED" in unknown.stderr
